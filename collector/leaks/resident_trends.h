// SPDX-License-Identifier: Apache-2.0
// How processes grow that are not under the shim: by their resident memory,
// which is all that there is of them.
//
// Thread safety: Update from one thread at a time; view from any.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "collector/leaks/process_trend.h"

namespace heapledger::collector {

struct ResidentSample {
  std::uint32_t pid = 0;
  std::uint64_t start_time_ticks = 0;
  std::string process;  // the label
  std::uint64_t resident_bytes = 0;
  std::optional<std::uint64_t> headroom_bytes;
};

struct ResidentTrend {
  std::uint32_t pid = 0;
  std::string process;
  TrendView trend;
};

class ResidentTrends {
 public:
  ResidentTrends() : view_(std::make_shared<const View>()) {}

  using View = std::vector<ResidentTrend>;

  // All that run; one that is missing is forgotten. `monotonic_ns`: when they
  // were looked at.
  void Update(std::uint64_t monotonic_ns,
              std::span<const ResidentSample> samples);
  // Never null; empty before the first Update.
  [[nodiscard]] std::shared_ptr<const View> view() const;

 private:
  using Process = std::pair<std::uint32_t, std::uint64_t>;  // pid, start

  std::map<Process, ProcessTrend> trends_;
  mutable std::mutex mutex_;  // guards view_
  std::shared_ptr<const View> view_;
};

}  // namespace heapledger::collector
