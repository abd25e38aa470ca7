// SPDX-License-Identifier: Apache-2.0
// What came of actions, counted; and whether those that were meant to reduce
// memory did: a minute later less is used, by a twentieth of what was used then
// or of the limit. Of several actions within that minute each is credited.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "collector/response/order.h"

namespace heapledger::collector::response {

// Whose action it was.
struct ActionLabel {
  std::string process;
  std::string action;
  Level level = Level::kNone;

  friend auto operator<=>(const ActionLabel&, const ActionLabel&) = default;
};

struct ActionCount {
  ActionLabel label;
  Result result = Result::kDone;
  std::uint64_t count = 0;
};

struct ReducedBytes {
  std::string process;
  std::string action;
  std::uint64_t bytes = 0;
};

class Tally {
 public:
  static constexpr Duration kMeasureAfter = std::chrono::seconds(60);
  // Further programs are counted together.
  static constexpr std::size_t kMaxLabels = 4096;

  void Count(const ActionLabel& label, Result result);

  // Waits for kMeasureAfter, then says what came of it. `before` is what was
  // read when the action began.
  void Measure(const ActionLabel& label, TargetKey target,
               const Reading& before, Time now);

  struct Measured {
    ActionLabel label;
    TargetKey target;
    Result result;
    std::uint64_t bytes = 0;  // by which less is used
  };
  // `now_of` gives a program's last reading; null where it has ended.
  template <typename NowOf>
  std::vector<Measured> Judge(Time now, NowOf now_of);

  [[nodiscard]] std::vector<ActionCount> counts() const;
  [[nodiscard]] std::vector<ReducedBytes> reduced() const;

 private:
  struct Pending {
    ActionLabel label;
    TargetKey target;
    Reading before;
    Time due{};
  };

  Measured Compare(const Pending& pending, const Reading* now);

  std::map<std::pair<ActionLabel, Result>, std::uint64_t> counts_;
  std::map<std::pair<std::string, std::string>, std::uint64_t> reduced_;
  std::deque<Pending> pending_;  // by due
};

template <typename NowOf>
std::vector<Tally::Measured> Tally::Judge(Time now, NowOf now_of) {
  std::vector<Measured> measured;
  std::deque<Pending> later;
  for (const Pending& pending : pending_) {
    const Reading* const reading = now_of(pending.target);
    if (reading != nullptr && now < pending.due) {
      later.push_back(pending);
    } else {
      measured.push_back(Compare(pending, reading));
    }
  }
  pending_ = std::move(later);
  return measured;
}

}  // namespace heapledger::collector::response
