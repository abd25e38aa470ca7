// SPDX-License-Identifier: Apache-2.0
// The suspects of every process on the host. One call of Update per sample; the
// view of the last one stays readable meanwhile.
//
// Thread safety: Update from one thread at a time; view() from any.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "collector/leaks/process_leaks.h"
#include "collector/leaks/resident_trends.h"
#include "collector/ledger/host_accounts.h"

namespace heapledger::collector {

// By lineage of the snapshots.
using HostLeakView =
    std::unordered_map<std::uint64_t, std::shared_ptr<const ProcessLeakView>>;

class HostLeaks {
 public:
  explicit HostLeaks(LeakOptions options);

  // Looks at the accounts as their last Update left them. Only what runs has
  // suspects.
  void Update(HostAccounts& accounts, FrameNames& names);
  // Never null; empty before the first Update.
  [[nodiscard]] std::shared_ptr<const HostLeakView> view() const;

  // Of what is not under the shim; with a thread of its own that updates it.
  [[nodiscard]] ResidentTrends& residents() { return residents_; }
  [[nodiscard]] const ResidentTrends& residents() const { return residents_; }

 private:
  const LeakOptions options_;
  std::unordered_map<std::uint64_t, std::unique_ptr<ProcessLeaks>> processes_;
  mutable std::mutex mutex_;  // guards view_
  std::shared_ptr<const HostLeakView> view_;
  ResidentTrends residents_;
};

}  // namespace heapledger::collector
