// SPDX-License-Identifier: Apache-2.0
// The scrape jobs: one per page, each as often as its figures change and with a
// bound on its series.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace heapledger::collector::monitoring {

// What the collector keeps to by default; see HostSource and Endpoints.
inline constexpr std::size_t kMaxTargets = 256;
inline constexpr std::size_t kMaxCallsites = 50;

struct Job {
  std::string_view page;
  std::string_view interval;
  std::string_view timeout;  // below the interval, or Prometheus refuses
  // Series that a process can have on the page, to be multiplied with
  // kMaxTargets. The limit is twice that: Prometheus drops a page that passes
  // its limit as a whole, so the collector's own caps must act first.
  std::size_t series_per_target;
};

inline constexpr std::array<Job, 4> kJobs = {{
    {"memory", "5s", "4s", 100},
    {"python", "10s", "8s", 80},
    // Seven families of three generations, one of them a histogram.
    {"gc", "15s", "10s", 60},
    // Six families of a callsite; of a suspect two, for two kinds of evidence,
    // and its place.
    {"callsites", "15s", "10s", (6 + 2 * 2 + 1) * (kMaxCallsites + 1)},
}};

[[nodiscard]] constexpr std::size_t SampleLimit(const Job& job) {
  return 2 * kMaxTargets * job.series_per_target;
}

}  // namespace heapledger::collector::monitoring
