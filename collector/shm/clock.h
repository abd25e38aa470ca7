// SPDX-License-Identifier: Apache-2.0
// The two clocks that ledgers are stamped with, as nanoseconds.
#pragma once

#include <time.h>

#include <cstdint>

namespace heapledger::collector {

inline std::uint64_t ClockNs(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace heapledger::collector
