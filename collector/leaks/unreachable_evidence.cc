// SPDX-License-Identifier: Apache-2.0
#include "collector/leaks/unreachable_evidence.h"

namespace heapledger::collector {

void UnreachableBlocks::Update(const ProcessAccount& account,
                               const LedgerSnapshot& snapshot) {
  const LiveLeakScan& live = snapshot.live_scan;
  if (live.state == ScanState::kComplete && live.round != round_) {
    round_ = live.round;
    Take(account, live, {{}, false, live.realtime_ns, live.pause_ns});
  }
  if (snapshot.scan.state == ScanState::kComplete) {
    Take(account, snapshot.scan, {{}, true, 0, snapshot.scan.pause_ns});
  }
}

void UnreachableBlocks::Take(const ProcessAccount& account,
                             const LeakScan& scan,
                             const UnreachableEvidence& facts) {
  scanned_ = true;
  by_account_.clear();
  for (const LeakRecord& leak : scan.leaks) {
    const auto place =
        by_account_.try_emplace(account.AccountOf(leak.callsite), facts).first;
    place->second.counts += leak.counts;
  }
}

const UnreachableEvidence* UnreachableBlocks::Of(std::size_t account) const {
  const auto found = by_account_.find(account);
  return found == by_account_.end() ? nullptr : &found->second;
}

}  // namespace heapledger::collector
