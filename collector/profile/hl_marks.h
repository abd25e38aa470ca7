// SPDX-License-Identifier: Apache-2.0
// Marks: moments of a process that the user named. A mark is a snapshot file
// without names that lies beside the process' ledger and goes with it:
//   <pid>-<starttime>-<image>.<NAME>.mark
// which neither discovery nor the shim takes for a ledger.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collector/profile/hl_file.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector {

// Per process: what keeps a forgotten loop from filling /dev/shm.
inline constexpr std::size_t kMaximumMarks = 64;

// InvalidArgument unless `name` is [A-Za-z0-9._-]{1,64}.
[[nodiscard]] absl::Status CheckMarkName(std::string_view name);

// Where the mark of this process lies, whether it exists or not.
[[nodiscard]] std::string MarkPath(const LedgerSnapshot& ledger,
                                   std::string_view name);

// The marks of one process, oldest first; those that cannot be read are left
// out.
[[nodiscard]] std::vector<HlMark> ListMarks(const LedgerSnapshot& ledger);

// NotFound names the marks that there are. A file that is a link, or that
// somebody else than the directory's owner put there, is refused.
[[nodiscard]] absl::StatusOr<HlFile> ReadMark(const LedgerSnapshot& ledger,
                                              std::string_view name);

// Removes marks of processes that have no ledger in `directory` any more.
void RemoveOrphanMarks(const std::string& directory);

}  // namespace heapledger::collector
