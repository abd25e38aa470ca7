// SPDX-License-Identifier: Apache-2.0
// What only the program itself can do, and what its ledger alone has: behind an
// interface, as this folder knows nothing of ledgers.
//
// Thread safety: implementations are called from any thread, several at once.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collector/response/level.h"
#include "collector/response/reading.h"

namespace heapledger::collector::response {

// Statuses: FailedPrecondition and Unimplemented for what cannot be had of
// this program at all.
class TargetControl {
 public:
  virtual ~TargetControl() = default;

  struct WrittenFile {
    std::string path;
    std::uint64_t bytes = 0;
  };
  // Writes a .hl file; not one of more than `most_bytes`. `pattern` is as of
  // `heapledger snapshot -o`.
  virtual absl::StatusOr<WrittenFile> Snapshot(const Target& target,
                                               const std::string& pattern,
                                               std::uint64_t most_bytes) = 0;
  // Sets a mark; its name.
  virtual absl::StatusOr<std::string> Mark(const Target& target,
                                           Level level) = 0;
  // Has the allocator give back what it keeps, and says what came of it.
  virtual absl::StatusOr<std::string> Trim(const Target& target,
                                           Duration patience) = 0;
  // Tells the callbacks of the program; none: it is over.
  virtual absl::StatusOr<std::string> TellPressure(const Target& target,
                                                   Level level) = 0;
};

}  // namespace heapledger::collector::response
