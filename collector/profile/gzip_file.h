// SPDX-License-Identifier: Apache-2.0
// A text as the bytes of a .gz file.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace heapledger::collector {

// The same text gives the same bytes: no name and no time go in. Fails where
// zlib has no memory.
[[nodiscard]] absl::StatusOr<std::string> GzipFile(std::string_view text);

}  // namespace heapledger::collector
