// SPDX-License-Identifier: Apache-2.0
#include "collector/baseline/baseline.h"

#include <algorithm>
#include <utility>

namespace heapledger::collector::baseline {

void Period::Add(const Sample& sample) {
  begin_ns = samples == 0 ? sample.realtime_ns
                          : std::min(begin_ns, sample.realtime_ns);
  end_ns = std::max(end_ns, sample.realtime_ns);
  ++samples;
  Sketches& slot = slots[SlotOf(sample.realtime_ns)];
  for (std::size_t i = 0; i < kQuantities; ++i) {
    if (!sample.values[i]) continue;
    all[i].Add(*sample.values[i]);
    slot[i].Add(*sample.values[i]);
  }
}

void Period::Merge(const Period& other) {
  if (other.samples == 0) return;
  begin_ns = samples == 0 ? other.begin_ns : std::min(begin_ns, other.begin_ns);
  end_ns = std::max(end_ns, other.end_ns);
  samples += other.samples;
  for (std::size_t i = 0; i < kQuantities; ++i) all[i].Merge(other.all[i]);
  for (const auto& [slot, sketches] : other.slots) {
    Sketches& ours = slots[slot];
    for (std::size_t i = 0; i < kQuantities; ++i) ours[i].Merge(sketches[i]);
  }
}

Period ProgramBaseline::Both() const {
  Period both = previous;
  both.Merge(current);
  return both;
}

void ProgramBaseline::BeginPeriod() {
  previous = std::exchange(current, Period());
}

}  // namespace heapledger::collector::baseline
