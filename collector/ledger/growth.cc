// SPDX-License-Identifier: Apache-2.0
#include "collector/ledger/growth.h"

#include <algorithm>
#include <vector>

namespace heapledger::collector {
namespace {

double Median(std::vector<double>& values) {
  const auto middle =
      values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 != 0) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

std::optional<double> RateOf(const History& history, std::size_t window) {
  const std::vector<Sample> samples = history.Window(window);
  if (samples.empty()) return std::nullopt;
  const std::uint64_t span = samples.back().time_ns - samples.front().time_ns;
  if (span < kGrowthWindows[window].length_ns / 3) return std::nullopt;
  return TheilSenSlope(samples);
}

}  // namespace

std::optional<double> TheilSenSlope(std::span<const Sample> samples) {
  if (samples.size() < kMinimumGrowthSamples) return std::nullopt;
  std::vector<double> slopes;
  slopes.reserve(samples.size() * (samples.size() - 1) / 2);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    for (std::size_t j = i + 1; j < samples.size(); ++j) {
      if (samples[j].time_ns <= samples[i].time_ns) continue;
      const double seconds =
          static_cast<double>(samples[j].time_ns - samples[i].time_ns) /
          static_cast<double>(kSecondNs);
      slopes.push_back((samples[j].value - samples[i].value) / seconds);
    }
  }
  if (slopes.empty()) return std::nullopt;
  return Median(slopes);
}

GrowthRates GrowthOf(const History& history) {
  GrowthRates rates;
  for (std::size_t window = 0; window < kGrowthWindows.size(); ++window) {
    rates[window] = RateOf(history, window);
  }
  return rates;
}

const GrowthRates& GrowthMeter::Rates() {
  for (std::size_t window = 0; window < kGrowthWindows.size(); ++window) {
    if (history_.taken(window) == computed_at_[window]) continue;
    computed_at_[window] = history_.taken(window);
    rates_[window] = RateOf(history_, window);
  }
  return rates_;
}

}  // namespace heapledger::collector
