// SPDX-License-Identifier: Apache-2.0
// Shows traces (see trace_file.py) on standard input to the collector's
// detector as resident bytes, a sample a second, and prints what it says every
// 15 seconds as a scrape would see it, where it says anything:
//
//   NAME SECOND SCORE BYTES_PER_SECOND EXHAUSTION_SECONDS
//
// with - for an exhaustion that is not forecast.
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "collector/leaks/process_trend.h"

namespace heapledger::collector {
namespace {

constexpr std::uint64_t kScrapeSeconds = 15;
// Far from 0, as every monotonic clock is.
constexpr std::uint64_t kBegin = 1'000'000;

void Judge(const std::string& name, std::uint64_t limit,
           const std::vector<std::uint64_t>& values) {
  ProcessTrend trend;
  for (std::uint64_t t = 0; t < values.size(); ++t) {
    trend.AddResident((kBegin + t) * kSecondNs, values[t], limit - values[t]);
    const GrowthEvidence* const growth = trend.growth();
    const auto exhaustion = trend.exhaustion_seconds();
    if (t % kScrapeSeconds != 0 || (growth == nullptr && !exhaustion)) continue;
    std::printf("%s %ju %.3f %.0f ", name.c_str(),
                static_cast<std::uintmax_t>(t), trend.score(),
                growth == nullptr ? 0 : growth->bytes_per_second);
    if (exhaustion) {
      std::printf("%.0f\n", *exhaustion);
    } else {
      std::printf("-\n");
    }
  }
}

int Run(std::istream& in) {
  std::string line;
  while (std::getline(in, line)) {
    std::istringstream words(line);
    std::string name;
    std::uint64_t limit = 0, count = 0;
    std::int64_t onset = 0, oom = 0;
    if (!(words >> name >> limit >> onset >> oom >> count)) return 2;
    std::vector<std::uint64_t> values(count);
    if (!in.read(reinterpret_cast<char*>(values.data()),
                 static_cast<std::streamsize>(count * sizeof(values[0])))) {
      return 2;
    }
    Judge(name, limit, values);
  }
  return 0;
}

}  // namespace
}  // namespace heapledger::collector

int main() { return heapledger::collector::Run(std::cin); }
