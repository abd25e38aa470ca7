// SPDX-License-Identifier: Apache-2.0
// What the response to pressure asks of programs under the shim, through their
// ledgers.
//
// Thread safety: any thread, several at once.
#pragma once

#include <string>
#include <utility>

#include "collector/cli/find_ledger.h"
#include "collector/ledger/naming.h"
#include "collector/response/target_control.h"
#include "collector/shm/discovery.h"

namespace heapledger::collector::cli {

class LedgerControl final : public response::TargetControl {
 public:
  // `names` is safe for any thread and outlives this object.
  LedgerControl(DiscoveryOptions options, FrameNames* names)
      : options_(std::move(options)), names_(names) {}

  absl::StatusOr<WrittenFile> Snapshot(const response::Target& target,
                                       const std::string& pattern,
                                       std::uint64_t most_bytes) override;
  absl::StatusOr<std::string> Mark(const response::Target& target,
                                   response::Level level) override;
  absl::StatusOr<std::string> Trim(const response::Target& target,
                                   response::Duration patience) override;
  absl::StatusOr<std::string> TellPressure(const response::Target& target,
                                           response::Level level) override;

 private:
  // FailedPrecondition for a program that is not under the shim.
  [[nodiscard]] absl::StatusOr<LiveLedger> Find(
      const response::Target& target) const;

  const DiscoveryOptions options_;
  FrameNames* const names_;
};

}  // namespace heapledger::collector::cli
