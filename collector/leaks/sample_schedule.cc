// SPDX-License-Identifier: Apache-2.0
#include "collector/leaks/sample_schedule.h"

#include <algorithm>

namespace heapledger::collector {

SampleSchedule::Clock::time_point SampleSchedule::Next(Clock::time_point now) {
  slot_ += interval_;
  if (now > slot_) slot_ += (now - slot_) / interval_ * interval_;
  const double share = std::uniform_real_distribution<double>()(random_);
  const auto within = std::chrono::duration_cast<Clock::duration>(
      share * std::chrono::duration<double, std::nano>(interval_));
  return std::max(slot_ + within, now);
}

}  // namespace heapledger::collector
