// SPDX-License-Identifier: Apache-2.0
// Puts the tags of rules into snapshots, so that whoever reads them finds them
// where a program's own are. These come first: a callsite that has a tag keeps
// it.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "collector/ledger/naming.h"
#include "collector/shm/snapshot.h"
#include "collector/tags/tag_rules.h"

namespace heapledger::collector {

// For the snapshots of one lineage: frames and callsites are looked at once.
class Tagger {
 public:
  // `names` must outlive this object.
  Tagger(std::shared_ptr<const TagRules> rules, FrameNames* names)
      : rules_(std::move(rules)), names_(names) {}

  // The snapshot with its tags; itself where there are no rules.
  [[nodiscard]] std::shared_ptr<const LedgerSnapshot> Apply(
      std::shared_ptr<const LedgerSnapshot> snapshot);

 private:
  // Which rules fit a frame's functions.
  struct FrameRules {
    RuleSet any = 0;
    RuleSet naming = 0;     // the function that would name a callsite
    bool names_it = false;  // that function is no allocator's plumbing
  };

  void Learn(const LedgerSnapshot& snapshot);
  std::uint32_t TagOf(const LedgerSnapshot& snapshot,
                      const CallsiteInfo& callsite);
  const FrameRules& RulesOf(const LedgerSnapshot& snapshot,
                            std::uint32_t frame);

  std::shared_ptr<const TagRules> rules_;
  FrameNames* names_;
  RuleSet meant_ = 0;                           // rules for this program
  std::shared_ptr<const SnapshotTables> seen_;  // tables that were learnt
  std::shared_ptr<SnapshotTables> tagged_;      // and these with our tags
  std::vector<FrameRules> frames_;              // by frame index
  std::vector<std::uint32_t> own_index_;        // of a snapshot's tag index
  std::vector<std::uint32_t> rule_index_;       // tag index of a rule
  std::vector<std::uint32_t> callsite_tags_;    // by callsite index
};

// For all processes of the host.
class HostTagger {
 public:
  HostTagger(std::shared_ptr<const TagRules> rules, FrameNames* names)
      : rules_(std::move(rules)), names_(names) {}

  void Apply(HostSnapshot& host);

 private:
  std::shared_ptr<const TagRules> rules_;
  FrameNames* names_;
  std::unordered_map<std::uint64_t, Tagger> taggers_;  // by lineage
};

}  // namespace heapledger::collector
