// SPDX-License-Identifier: Apache-2.0
// The books of every process on the host. One call of Update per sample; the
// view of the last one stays readable from any thread meanwhile.
//
// Thread safety: Update and Visit from one thread at a time; view() from any.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "collector/ledger/naming.h"
#include "collector/ledger/process_account.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector {

struct HostView {
  std::vector<std::shared_ptr<const ProcessView>> processes;
  std::vector<UnmeasuredProcess> unmeasured;
  std::vector<std::string> problems;
  std::uint64_t taken_monotonic_ns = 0;
};

class HostAccounts {
 public:
  // `names` must outlive this object.
  HostAccounts(const AccountOptions& options, FrameNames* names);

  std::shared_ptr<const HostView> Update(const HostSnapshot& host);
  // Calls `visitor` for every process of the last Update.
  void Visit(
      const std::function<void(ProcessAccount&, const ProcessView&)>& visitor);
  // Of the last Update; an empty one before the first.
  [[nodiscard]] std::shared_ptr<const HostView> view() const;

 private:
  struct Entry {
    std::unique_ptr<ProcessAccount> account;
    std::shared_ptr<const ProcessView> view;
  };

  AccountOptions options_;
  FrameNames* names_;
  std::unordered_map<std::uint64_t, Entry> entries_;  // by lineage
  mutable std::mutex mutex_;                          // guards view_
  std::shared_ptr<const HostView> view_;
};

}  // namespace heapledger::collector
