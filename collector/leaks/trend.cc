// SPDX-License-Identifier: Apache-2.0
#include "collector/leaks/trend.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace heapledger::collector {
namespace {

double VarianceTerm(std::size_t count) {
  const auto n = static_cast<double>(count);
  return n * (n - 1) * (2 * n + 5);
}

}  // namespace

double MannKendallScore(std::span<const double> values) {
  if (values.size() < 3) return 0;
  double votes = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = i + 1; j < values.size(); ++j) {
      votes += values[j] > values[i] ? 1 : values[j] < values[i] ? -1 : 0;
    }
  }
  std::vector<double> sorted(values.begin(), values.end());
  std::ranges::sort(sorted);
  double variance = VarianceTerm(values.size());
  for (auto it = sorted.begin(); it != sorted.end();) {
    const auto end = std::upper_bound(it, sorted.end(), *it);
    variance -= VarianceTerm(static_cast<std::size_t>(end - it));
    it = end;
  }
  if (variance <= 0 || votes == 0) return 0;
  // One vote less, as the sum of votes moves in steps.
  return (votes > 0 ? votes - 1 : votes + 1) / std::sqrt(variance / 18);
}

std::size_t Rises(std::span<const double> values) {
  std::size_t rises = 0;
  for (std::size_t i = 1; i < values.size(); ++i) {
    if (values[i] > values[i - 1]) ++rises;
  }
  return rises;
}

}  // namespace heapledger::collector
