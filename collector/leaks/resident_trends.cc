// SPDX-License-Identifier: Apache-2.0
#include "collector/leaks/resident_trends.h"

namespace heapledger::collector {

void ResidentTrends::Update(std::uint64_t monotonic_ns,
                            std::span<const ResidentSample> samples) {
  std::map<Process, ProcessTrend> trends;
  auto view = std::make_shared<View>();
  for (const ResidentSample& sample : samples) {
    const Process process{sample.pid, sample.start_time_ticks};
    auto known = trends_.extract(process);
    ProcessTrend& trend =
        known.empty() ? trends[process]
                      : trends.insert(std::move(known)).position->second;
    trend.AddResident(monotonic_ns, sample.resident_bytes,
                      sample.headroom_bytes);
    view->push_back({sample.pid, sample.process, trend.view()});
  }
  trends_ = std::move(trends);
  const std::lock_guard lock(mutex_);
  view_ = std::move(view);
}

std::shared_ptr<const ResidentTrends::View> ResidentTrends::view() const {
  const std::lock_guard lock(mutex_);
  return view_;
}

}  // namespace heapledger::collector
