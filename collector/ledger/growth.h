// SPDX-License-Identifier: Apache-2.0
// How fast a figure grows: the Theil-Sen slope (the median of the slopes of all
// pairs of samples). One burst, or one batch freed late, does not move a
// median.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "collector/ledger/history.h"

namespace heapledger::collector {

// A slope over fewer samples, or over less than a third of its window, is noise
// with a sign; there is none then.
inline constexpr std::size_t kMinimumGrowthSamples = 4;

// Bytes (or whatever the samples count) per second.
[[nodiscard]] std::optional<double> TheilSenSlope(
    std::span<const Sample> samples);

// By index into kGrowthWindows.
using GrowthRates = std::array<std::optional<double>, kGrowthWindows.size()>;

[[nodiscard]] GrowthRates GrowthOf(const History& history);

// A history and its rates, which are computed when asked for, and of a window
// only once its ring has another sample: slopes are what sampling many
// callsites costs most.
//
// Thread safety: one thread at a time.
class GrowthMeter {
 public:
  void Add(Sample sample) { history_.Add(sample); }
  [[nodiscard]] const GrowthRates& Rates();

 private:
  History history_;
  GrowthRates rates_;
  std::array<std::uint64_t, kGrowthWindows.size()> computed_at_{};  // taken()
};

}  // namespace heapledger::collector
