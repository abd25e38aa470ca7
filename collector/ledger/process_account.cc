// SPDX-License-Identifier: Apache-2.0
#include "collector/ledger/process_account.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace heapledger::collector {

ProcessAccount::ProcessAccount(const AccountOptions& options, FrameNames* names)
    : options_(options),
      names_(names),
      top_(options.top_limit),
      top_tags_(options.tag_limit) {}

std::shared_ptr<const ProcessView> ProcessAccount::Update(
    std::shared_ptr<const LedgerSnapshot> snapshot) {
  LearnCallsites(*snapshot);
  for (CallsiteAccount& account : accounts_) account.counters = {};
  for (std::size_t i = 0; i < snapshot->counters.size(); ++i) {
    accounts_[group_of_[i]].counters += snapshot->counters[i];
  }
  live_.Add({snapshot->taken_monotonic_ns,
             static_cast<double>(snapshot->totals.live_bytes())});
  AddHistory(snapshot->taken_monotonic_ns);

  auto view = std::make_shared<ProcessView>();
  const TopSelection selection = top_.Select(accounts_);
  for (const std::size_t group : selection.rows) {
    view->top.push_back(ViewOf(group, *snapshot));
  }
  view->growth = live_.Rates();
  view->other = selection.other;
  view->other_callsites = selection.other_callsites;
  view->callsites = accounts_.size();
  view->tags = AccountsByTag(*snapshot);
  view->top_tags = top_tags_.Select(view->tags);
  view->snapshot = std::move(snapshot);
  return view;
}

// Frames and callsites only ever get more, so each is named once.
void ProcessAccount::LearnCallsites(const LedgerSnapshot& snapshot) {
  std::vector<FrameHash> stack;
  for (std::size_t i = group_of_.size(); i < snapshot.counters.size(); ++i) {
    const CallsiteInfo& callsite = snapshot.tables->callsites[i];
    stack.clear();
    for (const std::uint32_t frame : snapshot.stack(callsite)) {
      while (frame_hashes_.size() <= frame) {
        const auto next = static_cast<std::uint32_t>(frame_hashes_.size());
        frame_hashes_.push_back(
            HashFrame(names_->Resolve(snapshot, next).back()));
      }
      stack.push_back(frame_hashes_[frame]);
    }
    const Fingerprint fingerprint =
        callsite.overflow
            ? OverflowFingerprint()
            : FingerprintOf(
                  stack, callsite.cut ? StackEnd::kCut : StackEnd::kOutermost);
    const auto [place, added] =
        group_by_fingerprint_.try_emplace(fingerprint.value(), groups_.size());
    if (added) {
      groups_.emplace_back();
      accounts_.push_back({fingerprint, {}});
    }
    groups_[place->second].callsites.push_back(static_cast<std::uint32_t>(i));
    group_of_.push_back(place->second);
  }
}

// Histories follow the callsites that are worth one; those that fell far behind
// give theirs up.
void ProcessAccount::AddHistory(std::uint64_t time_ns) {
  std::vector<std::size_t> order(accounts_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto by_live = [this](std::size_t a, std::size_t b) {
    return accounts_[a].counters.live_bytes() >
           accounts_[b].counters.live_bytes();
  };
  const auto cut = [&order](std::size_t count) {
    return order.begin() +
           static_cast<std::ptrdiff_t>(std::min(count, order.size()));
  };
  std::partial_sort(order.begin(), cut(2 * options_.history_limit), order.end(),
                    by_live);
  std::unordered_map<std::uint64_t, GrowthMeter> kept;
  for (auto it = order.begin(); it != cut(2 * options_.history_limit); ++it) {
    const CallsiteAccount& account = accounts_[*it];
    const std::uint64_t key = account.fingerprint.value();
    auto node = histories_.extract(key);
    if (!node.empty()) {
      kept.insert(std::move(node));
    } else if (it >= cut(options_.history_limit)) {
      continue;
    }
    kept[key].Add(
        {time_ns, static_cast<double>(account.counters.live_bytes())});
  }
  histories_ = std::move(kept);
}

CallsiteView ProcessAccount::ViewOf(std::size_t group_index,
                                    const LedgerSnapshot& snapshot) {
  Group& group = groups_[group_index];
  CallsiteView view;
  view.fingerprint = accounts_[group_index].fingerprint;
  view.counters = accounts_[group_index].counters;
  view.callsites = group.callsites;
  std::ranges::stable_sort(view.callsites, std::greater(),
                           [&snapshot](std::uint32_t callsite) {
                             return snapshot.counters[callsite].live_bytes();
                           });
  for (const std::uint32_t callsite : view.callsites) {
    const CallsiteInfo& info = snapshot.tables->callsites[callsite];
    view.truncated |= info.truncated;
    view.incomplete |= info.incomplete;
    view.overflow |= info.overflow;
    view.cut |= info.cut;
  }
  // Named after the first record seen, so that labels do not change.
  if (!group.named) {
    group.name = NameCallsite(
        snapshot, snapshot.tables->callsites[group.callsites.front()], *names_);
    group.named = true;
  }
  view.name = group.name;
  const auto history = histories_.find(view.fingerprint.value());
  if (history != histories_.end()) view.growth = history->second.Rates();
  return view;
}

}  // namespace heapledger::collector
