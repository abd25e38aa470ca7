// SPDX-License-Identifier: Apache-2.0
// The level of one program over time: the highest of the conditions that hold.
// Each condition is latched by itself, so that one that is over does not hold
// up a level that another one brought about:
//
//             held for dwell                 gone for 2 dwells
//   off ------------------------> on -----------------------------> off
//        value beyond `enter`           value not beyond `leave`
//
// Thread safety: one thread at a time.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "collector/response/rules.h"

namespace heapledger::collector::response {

class Latch {
 public:
  // `held` is at least true where `entered` is. Times must not go back.
  bool Update(Time now, bool entered, bool held, Duration dwell);
  [[nodiscard]] bool on() const { return on_; }

 private:
  bool on_ = false;
  std::optional<Time> entered_since_;
  std::optional<Time> gone_since_;
};

class LevelWatch {
 public:
  // `rule` must outlive this object.
  explicit LevelWatch(const Rule& rule)
      : rule_(rule), latches_(rule.thresholds.size()) {}

  // `alert`: the highest level that an alert of others means now.
  Level Update(Time now, const Reading& reading, Level alert);

  [[nodiscard]] Level level() const { return level_; }
  // What holds at the level, such as "usage 83.1% (from 80.0%)"; empty at none.
  [[nodiscard]] std::string Why(const Reading& reading) const;

 private:
  const Rule& rule_;
  std::vector<Latch> latches_;   // by threshold
  std::array<Latch, 5> alerts_;  // by Level
  Level level_ = Level::kNone;
};

}  // namespace heapledger::collector::response
