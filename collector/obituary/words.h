// SPDX-License-Identifier: Apache-2.0
// Figures as a sentence has them.
#pragma once

#include <cstdint>
#include <string>

namespace heapledger::collector::obituary {

// "201.3 MiB"
[[nodiscard]] std::string BytesText(double bytes);
// "140 s", "12 min", "3.5 h"
[[nodiscard]] std::string DurationText(double seconds);

}  // namespace heapledger::collector::obituary
