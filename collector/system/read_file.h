// SPDX-License-Identifier: Apache-2.0
// Small files of /proc and /sys, read whole.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace heapledger::collector {

// More than any file that is read this way has; what lies beyond is cut.
inline constexpr std::size_t kSmallFileBytes = 64 << 10;

// The first `limit` bytes. NotFound where there is no such file or its process
// ended while it was read, PermissionDenied where we may not read it.
[[nodiscard]] absl::StatusOr<std::string> ReadSmallFile(
    const std::string& path, std::size_t limit = kSmallFileBytes);

}  // namespace heapledger::collector
