// SPDX-License-Identifier: Apache-2.0
// The directory of obituaries: one .hl file per death, readable by its owner
// alone, whole or not there, never overwritten, and never more of them than
// asked for: the oldest deaths go first.
//
//   <program>-<pid>-<starttime>-<image>-<boot>.hl
//
// <boot> is the beginning of the boot id: pids and start times come again. The
// file's time of modification is that of the death, so that the order is seen
// without a look into the files. Other files of the directory are left alone.
//
// Thread safety: functions without state; two collectors may share a directory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector::obituary {

struct StoreOptions {
  std::string directory;
  std::size_t keep = 100;
  std::uint64_t max_bytes = std::uint64_t{256} << 20;
};

struct StoredObituary {
  std::string path;
  std::string program;
  std::uint32_t pid = 0;
  std::uint64_t start_time_ticks = 0;
  std::uint32_t image = 0;
  std::string boot;
  std::uint64_t died_realtime_ns = 0;
  std::uint64_t bytes = 0;

  [[nodiscard]] bool Of(const LedgerIdentity& who) const;
};

// Makes the directory (0700) and its parents, and removes what an earlier
// sealing left unfinished. PermissionDenied where it cannot be written, or
// others may write there.
[[nodiscard]] absl::Status PrepareStore(const std::string& directory);

// Newest death first. Empty where there is no such directory.
[[nodiscard]] std::vector<StoredObituary> ListStore(
    const std::string& directory);

// Where the obituary of this process lies, or would.
[[nodiscard]] std::string StorePath(const std::string& directory,
                                    const LedgerIdentity& who);

// Writes the file and then removes the oldest ones that are too many. Gives its
// path. AlreadyExists where there is one of this process; ResourceExhausted
// where the disk is full.
[[nodiscard]] absl::StatusOr<std::string> WriteToStore(
    const StoreOptions& options, const LedgerIdentity& who,
    std::uint64_t died_realtime_ns, std::string_view bytes);

// Whether an obituary of that death would stay, and not go at once as the
// oldest of too many.
[[nodiscard]] bool WouldStay(const StoreOptions& options,
                             const std::vector<StoredObituary>& stored,
                             std::uint64_t died_realtime_ns);

}  // namespace heapledger::collector::obituary
