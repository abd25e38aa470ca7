// SPDX-License-Identifier: Apache-2.0
#include "collector/baseline/statistics.h"

namespace heapledger::collector::baseline {

std::array<Statistic, kStatistics> Describe(const QuantileSketch& sketch) {
  std::array<Statistic, kStatistics> statistics = {
      {{"mean", {}},
       {"median", {}},
       {"std_dev", sketch.StandardDeviation()},
       {"min", {}},
       {"max", {}},
       {"p95", {}},
       {"p99", {}},
       {"mad", {}}}};
  if (sketch.count() == 0) return statistics;
  statistics[0].value = sketch.mean();
  statistics[1].value = sketch.Quantile(0.5);
  statistics[3].value = sketch.min();
  statistics[4].value = sketch.max();
  statistics[5].value = sketch.Quantile(0.95);
  statistics[6].value = sketch.Quantile(0.99);
  statistics[7].value = sketch.MedianDeviation();
  return statistics;
}

}  // namespace heapledger::collector::baseline
