// SPDX-License-Identifier: Apache-2.0
// A moment as every table, file and page writes it.
#pragma once

#include <cstdint>
#include <string>

namespace heapledger::collector {

// "2023-11-14T22:13:20Z"
[[nodiscard]] std::string UtcTimeText(std::uint64_t realtime_ns);

}  // namespace heapledger::collector
