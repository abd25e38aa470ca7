// SPDX-License-Identifier: Apache-2.0
#include "collector/ledger/utc_time.h"

#include <time.h>

namespace heapledger::collector {

std::string UtcTimeText(std::uint64_t realtime_ns) {
  const auto seconds = static_cast<time_t>(realtime_ns / 1'000'000'000);
  struct tm parts = {};
  char text[32];
  gmtime_r(&seconds, &parts);
  return {text, strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

}  // namespace heapledger::collector
