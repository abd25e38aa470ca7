// SPDX-License-Identifier: Apache-2.0
// Samples of one figure over time, in rings of fixed size: one ring per growth
// window, each with its own spacing, so that a window of 30 minutes costs as
// little as one of a minute.
//
// Thread safety: one thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace heapledger::collector {

struct Sample {
  std::uint64_t time_ns = 0;  // monotonic
  double value = 0;
};

struct GrowthWindow {
  std::string_view label;  // as the metric's label has it
  std::uint64_t length_ns;
};

inline constexpr std::uint64_t kSecondNs = 1'000'000'000;
inline constexpr std::array<GrowthWindow, 3> kGrowthWindows{{
    {"1m", 60 * kSecondNs},
    {"5m", 300 * kSecondNs},
    {"30m", 1800 * kSecondNs},
}};

class History {
 public:
  // Samples kept per window: enough for a robust slope, 496 pairs to look at.
  static constexpr std::size_t kSamplesPerWindow = 32;

  // Times must not go back; a sample that does is left out.
  void Add(Sample sample);

  // Samples within the window before the newest, oldest first. The newest one
  // is always among them.
  [[nodiscard]] std::vector<Sample> Window(std::size_t window) const;

  // Samples that the window's ring has taken: a slope need not be computed
  // again until there are more.
  [[nodiscard]] std::uint64_t taken(std::size_t window) const {
    return rings_[window].taken;
  }

  [[nodiscard]] bool empty() const { return count_ == 0; }

 private:
  struct Ring {
    std::array<Sample, kSamplesPerWindow> samples;
    std::size_t begin = 0;
    std::size_t size = 0;
    std::uint64_t taken = 0;
  };

  std::array<Ring, kGrowthWindows.size()> rings_{};
  Sample newest_;
  std::uint64_t count_ = 0;
};

}  // namespace heapledger::collector
