// SPDX-License-Identifier: Apache-2.0
// Numbers on stdin -> "count word value …", the statistics that a baseline
// would hold of them. For the comparison with others' arithmetic.
#include <cstdio>
#include <iostream>

#include "collector/baseline/statistics.h"

int main() {
  heapledger::collector::baseline::QuantileSketch sketch;
  double value = 0;
  while (std::cin >> value) sketch.Add(value);
  for (const auto& statistic :
       heapledger::collector::baseline::Describe(sketch)) {
    if (!statistic.value) continue;
    std::printf("%.*s %.17g\n", static_cast<int>(statistic.word.size()),
                statistic.word.data(), *statistic.value);
  }
  return 0;
}
