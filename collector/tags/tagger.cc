// SPDX-License-Identifier: Apache-2.0
#include "collector/tags/tagger.h"

#include <bit>
#include <utility>

namespace heapledger::collector {
namespace {

constexpr std::uint32_t kNotYet = kUntagged;

}  // namespace

std::shared_ptr<const LedgerSnapshot> Tagger::Apply(
    std::shared_ptr<const LedgerSnapshot> snapshot) {
  if (rules_ == nullptr || rules_->rules().empty()) return snapshot;
  if (snapshot->tables != seen_) Learn(*snapshot);
  auto tagged = std::make_shared<LedgerSnapshot>(*snapshot);
  tagged->tables = tagged_;
  tagged->scopes.assign(tagged_->tags.size(), {});
  for (std::size_t i = 0; i < snapshot->scopes.size(); ++i) {
    tagged->scopes[own_index_[i]] = snapshot->scopes[i];
  }
  return tagged;
}

// Callsites, frames and tags only ever get more. Tags of rules lie among them
// in the order in which they were first needed, so that indexes stay.
void Tagger::Learn(const LedgerSnapshot& snapshot) {
  const SnapshotTables& from = *snapshot.tables;
  if (seen_ == nullptr) {
    // A program may be started by another name than its file has.
    meant_ = rules_->Of(snapshot.identity.Program()) |
             rules_->Of(snapshot.identity.comm);
    rule_index_.assign(rules_->rules().size(), kNotYet);
  }
  std::vector<TagInfo> tags;
  if (tagged_ != nullptr) tags = tagged_->tags;
  auto tagged = std::make_shared<SnapshotTables>(from);
  for (std::size_t i = own_index_.size(); i < from.tags.size(); ++i) {
    own_index_.push_back(static_cast<std::uint32_t>(tags.size()));
    tags.push_back(from.tags[i]);
  }
  tagged->tags = std::move(tags);
  tagged_ = std::move(tagged);
  for (std::size_t i = 0; i < from.callsites.size(); ++i) {
    if (i == callsite_tags_.size()) {
      callsite_tags_.push_back(TagOf(snapshot, from.callsites[i]));
    }
    tagged_->callsites[i].tag = callsite_tags_[i];
  }
  seen_ = snapshot.tables;
}

std::uint32_t Tagger::TagOf(const LedgerSnapshot& snapshot,
                            const CallsiteInfo& callsite) {
  if (callsite.overflow) return kUntagged;
  if (callsite.tag < own_index_.size()) return own_index_[callsite.tag];
  RuleSet any = 0;
  RuleSet naming = 0;
  bool named = false;
  for (const std::uint32_t frame : snapshot.stack(callsite)) {
    const FrameRules& rules = RulesOf(snapshot, frame);
    any |= rules.any;
    if (!named) naming = rules.naming;
    named = named || rules.names_it;
  }
  const RuleSet fit =
      meant_ & ((any & ~rules_->innermost()) | (naming & rules_->innermost()));
  if (fit == 0) return kUntagged;
  const auto rule = static_cast<std::size_t>(std::countr_zero(fit));
  if (rule_index_[rule] == kNotYet) {
    rule_index_[rule] = static_cast<std::uint32_t>(tagged_->tags.size());
    tagged_->tags.push_back(rules_->rules()[rule].tag);
  }
  return rule_index_[rule];
}

const Tagger::FrameRules& Tagger::RulesOf(const LedgerSnapshot& snapshot,
                                          std::uint32_t frame) {
  while (frames_.size() <= frame) {
    const auto next = static_cast<std::uint32_t>(frames_.size());
    FrameRules& rules = frames_.emplace_back();
    for (const ResolvedFrame& function : names_->Resolve(snapshot, next)) {
      const RuleSet fitting = rules_->Fitting(function);
      rules.any |= fitting;
      if (rules.names_it) continue;
      rules.naming = fitting;
      rules.names_it = !IsAllocatorPlumbing(function);
    }
  }
  return frames_[frame];
}

void HostTagger::Apply(HostSnapshot& host) {
  if (rules_ == nullptr || rules_->rules().empty()) return;
  std::unordered_map<std::uint64_t, Tagger> kept;
  for (auto& ledger : host.ledgers) {
    auto known = taggers_.extract(ledger->lineage);
    const auto place =
        known.empty() ? kept.try_emplace(ledger->lineage, rules_, names_).first
                      : kept.insert(std::move(known)).position;
    ledger = place->second.Apply(std::move(ledger));
  }
  taggers_ = std::move(kept);
}

}  // namespace heapledger::collector
