// SPDX-License-Identifier: Apache-2.0
#include "collector/ledger/top_callsites.h"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <tuple>

namespace heapledger::collector {
namespace {

// Most live first; equals in the order of their fingerprints, so that two
// collectors agree.
std::vector<std::size_t> Ranked(std::span<const CallsiteAccount> accounts,
                                std::size_t count) {
  std::vector<std::size_t> order(accounts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto before = [accounts](std::size_t a, std::size_t b) {
    return std::tuple(accounts[b].counters.live_bytes(),
                      accounts[a].fingerprint) <
           std::tuple(accounts[a].counters.live_bytes(),
                      accounts[b].fingerprint);
  };
  count = std::min(count, order.size());
  std::partial_sort(order.begin(),
                    order.begin() + static_cast<std::ptrdiff_t>(count),
                    order.end(), before);
  order.resize(count);
  return order;
}

}  // namespace

TopSelection TopCallsites::Select(std::span<const CallsiteAccount> accounts) {
  TopSelection selection;
  for (const CallsiteAccount& account : accounts) {
    selection.other += account.counters;
  }
  std::unordered_set<std::uint64_t> members;
  const std::vector<std::size_t> ranked = Ranked(accounts, 2 * limit_);
  for (std::size_t rank = 0; rank < ranked.size(); ++rank) {
    const CallsiteAccount& account = accounts[ranked[rank]];
    const std::uint64_t key = account.fingerprint.value();
    if (rank >= limit_ && !members_.contains(key)) continue;
    members.insert(key);
    selection.rows.push_back(ranked[rank]);
    selection.other -= account.counters;
  }
  members_ = std::move(members);
  selection.other_callsites = accounts.size() - selection.rows.size();
  return selection;
}

}  // namespace heapledger::collector
