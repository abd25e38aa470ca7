// SPDX-License-Identifier: Apache-2.0
// Small files that a user writes: configuration, certificates, secrets.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace heapledger::collector {

inline constexpr std::size_t kMaxConfigBytes = 1 << 20;

// The whole of a regular file of at most 1 MiB. kNotFound if there is none;
// the message names the file and the reason.
[[nodiscard]] absl::StatusOr<std::string> ReadConfigFile(
    const std::string& path);

// Changes whenever the file is written or replaced. Empty if there is none.
[[nodiscard]] std::string FileStamp(const std::string& path);

}  // namespace heapledger::collector
