// SPDX-License-Identifier: Apache-2.0
// One question to a collector on this host or near it, in plain HTTP.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace heapledger::collector::cli {

// The body of http://HOST:PORT/PATH. Waits ten seconds at most; takes 256 MiB
// at most. The message names the address and what went wrong.
[[nodiscard]] absl::StatusOr<std::string> HttpGet(const std::string& host,
                                                  const std::string& port,
                                                  const std::string& path);

}  // namespace heapledger::collector::cli
