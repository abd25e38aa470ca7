// SPDX-License-Identifier: Apache-2.0
#include "collector/response/level_watch.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "collector/response/units.h"

namespace heapledger::collector::response {

bool Latch::Update(Time now, bool entered, bool held, Duration dwell) {
  if (!entered) {
    entered_since_.reset();
  } else if (!entered_since_) {
    entered_since_ = now;
  }
  if (held) {
    gone_since_.reset();
  } else if (!gone_since_) {
    gone_since_ = now;
  }
  if (!on_) {
    on_ = entered_since_ && now - *entered_since_ >= dwell;
  } else if (gone_since_ && now - *gone_since_ >= 2 * dwell) {
    on_ = false;
  }
  return on_;
}

Level LevelWatch::Update(Time now, const Reading& reading, Level alert) {
  Level level = Level::kNone;
  for (std::size_t i = 0; i < latches_.size(); ++i) {
    const Threshold& threshold = rule_.thresholds[i];
    const std::optional<double>& value = reading[threshold.quantity];
    const bool entered = value && threshold.Entered(*value);
    const bool held = value && threshold.Held(*value);
    if (latches_[i].Update(now, entered, held,
                           rule_.DwellOf(threshold.level))) {
      level = std::max(level, threshold.level);
    }
  }
  for (const Level each : kPressedLevels) {
    const bool fires = alert >= each;
    Latch& latch = alerts_[static_cast<std::size_t>(each)];
    if (latch.Update(now, fires, fires, rule_.DwellOf(each))) {
      level = std::max(level, each);
    }
  }
  level_ = level;
  return level;
}

std::string LevelWatch::Why(const Reading& reading) const {
  std::string why;
  for (std::size_t i = 0; i < latches_.size(); ++i) {
    const Threshold& threshold = rule_.thresholds[i];
    if (!latches_[i].on() || threshold.level != level_) continue;
    const QuantityFacts& facts = FactsOf(threshold.quantity);
    const std::optional<double>& value = reading[threshold.quantity];
    absl::StrAppend(&why, why.empty() ? "" : ", ", std::string(facts.word), " ",
                    value ? UnitText(facts.unit, *value) : "unknown", " (",
                    facts.rising ? "from " : "down to ",
                    UnitText(facts.unit, threshold.enter), ")");
  }
  if (level_ != Level::kNone &&
      alerts_[static_cast<std::size_t>(level_)].on()) {
    absl::StrAppend(&why, why.empty() ? "" : ", ", "an alert");
  }
  return why;
}

}  // namespace heapledger::collector::response
