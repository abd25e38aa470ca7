// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/process_quantities.h"

#include <algorithm>

namespace heapledger::collector::cli {
namespace {

using baseline::Growth;
using baseline::Quantity;

constexpr double kGrowthBytesPerSecond = 10.0 * (1 << 20) / 300;

Growth Suspected(bool grows) {
  return grows ? Growth::kSuspected : Growth::kNone;
}

}  // namespace

baseline::Sample QuantitiesOf(const TargetSample& target,
                              const SystemView& view) {
  baseline::Sample sample;
  sample.realtime_ns = target.taken_realtime_ns;
  sample[Quantity::kRssBytes] = static_cast<double>(target.memory.resident());
  sample[Quantity::kVmsBytes] = static_cast<double>(target.memory.virtual_size);
  sample[Quantity::kUsageRatio] = target.usage_ratio();
  if (view.memory) {
    sample[Quantity::kAvailableBytes] =
        static_cast<double>(view.memory->available);
  }
  if (target.descriptors) {
    sample[Quantity::kOpenFds] = static_cast<double>(*target.descriptors);
  }
  return sample;
}

void AddHeap(const LedgerSnapshot& snapshot, baseline::Sample& sample) {
  // Zeros would say that the heap is empty.
  if (snapshot.never_armed()) return;
  sample[Quantity::kHeapLiveBytes] =
      static_cast<double>(snapshot.totals.live_bytes());
  sample[Quantity::kHeapLiveObjects] =
      static_cast<double>(snapshot.totals.live_objects());
}

Growth GrowthOf(const ProcessLeakView& leaks) {
  return Suspected(
      std::ranges::any_of(leaks.suspects, [](const Suspect& suspect) {
        return suspect.state != SuspectState::kSuppressed;
      }));
}

Growth GrowthOf(const TargetSample& target) {
  return Suspected(target.growth_bytes_per_second.value_or(0) >
                   kGrowthBytesPerSecond);
}

}  // namespace heapledger::collector::cli
