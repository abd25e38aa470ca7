// SPDX-License-Identifier: Apache-2.0
// Sizes as people write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace heapledger::collector::gate {

// "512", "512B", "64KiB", "64K" and "64k" (1024), "64KB" (1000), up to T; none
// for what is no size or too large a one.
[[nodiscard]] std::optional<std::uint64_t> ParseByteSize(std::string_view text);

}  // namespace heapledger::collector::gate
