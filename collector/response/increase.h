// SPDX-License-Identifier: Apache-2.0
// By how much a counter grew within the last while.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "collector/response/reading.h"

namespace heapledger::collector::response {

class Increase {
 public:
  explicit Increase(Duration window) : window_(window) {}

  // A counter that went back is another one: what was before is forgotten.
  void Add(Time now, std::uint64_t value) {
    if (!values_.empty() && value < values_.back().second) values_.clear();
    values_.emplace_back(now, value);
    // One older than the window is kept to compare with.
    while (values_.size() > 2 && now - values_[1].first >= window_) {
      values_.pop_front();
    }
  }

  // None before there are two values.
  [[nodiscard]] std::optional<double> amount() const {
    if (values_.size() < 2) return std::nullopt;
    return static_cast<double>(values_.back().second - values_.front().second);
  }
  // Over the time between them, in units per nanosecond; a first look of less
  // than half a window tells nothing.
  [[nodiscard]] std::optional<double> rate() const {
    if (values_.size() < 2) return std::nullopt;
    const Duration span = values_.back().first - values_.front().first;
    if (2 * span < window_) return std::nullopt;
    return *amount() / static_cast<double>(span.count());
  }

 private:
  const Duration window_;
  std::deque<std::pair<Time, std::uint64_t>> values_;
};

}  // namespace heapledger::collector::response
