// SPDX-License-Identifier: Apache-2.0
// What was done for one program and what may be done next. Pure: the engine
// tells it the time, the level and how things ended.
//
//            Begin                 done, temporary           Begin(undo)
//   idle ------------> running ----------------------> active ---------->
//   undoing
//    ^  ^                | | failed                                        | |
//    |  '-- over --------' '---> retrying --> running        failed: undo  | |
//    |                                                       retrying <----' |
//    '-----------------------------------------------------------------------'
//   A run that nobody hears of any more is lost: the action rests until its end
//   is told after all.
//
// Thread safety: one thread at a time.
//
// Invariants:
//  (1) A run begins only at the action's level or above it, and no earlier than
//      its cool-down after the last start of the same name, but for a level
//      above that one's.
//  (2) No more than per_hour runs begin within an hour.
//  (3) What was changed is undone once the level is below the action's: tried
//      until it is done, kUndoTries times at most.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "collector/response/order.h"
#include "collector/response/rules.h"

namespace heapledger::collector::response {

inline constexpr int kUndoTries = 8;

// Before the n-th attempt after a failed one: 1 s, 2 s, 4 s, at most a minute.
[[nodiscard]] Duration BackOff(int attempts);

class ActionBook {
 public:
  struct Due {
    std::size_t action = 0;  // index into Rule::actions
    Step step = Step::kDo;
  };
  // Why an action that the level asks for does not begin; told once.
  struct Held {
    std::size_t action = 0;
    bool capped = false;  // by per_hour; else its cool-down
    Time until{};
  };

  // `rule` must outlive this object.
  explicit ActionBook(const Rule& rule)
      : rule_(rule), states_(rule.actions.size()) {}

  // To be called with every look, before DueAt(). The runs that were to be
  // tried again and are not wanted any more.
  std::vector<std::size_t> Enter(Level level);
  [[nodiscard]] std::vector<Due> DueAt(Time now, Level level) const;
  std::vector<Held> HeldAt(Time now, Level level);

  void Begin(Due due, Time now);
  // What came of it in the end; none where it goes on. `lost`: nobody waits for
  // the outcome any more, and Late() may follow.
  std::optional<Result> End(Due due, const Outcome& outcome, Time now,
                            bool lost = false);
  void Late(Due due, const Outcome& outcome);

  // May not be done again in this episode, whatever the reason.
  void Rest(std::size_t action) {
    states_[action].settled = Settled::kForEpisode;
  }
  // Of an action that was changed and not undone; null else.
  [[nodiscard]] const std::string* TokenOf(std::size_t action) const;
  [[nodiscard]] bool first_attempt(std::size_t action) const {
    return states_[action].attempts == 0;
  }

 private:
  enum class Phase {
    kIdle,
    kRunning,
    kRetrying,
    kActive,
    kUndoing,
    kUndoRetrying,
    kLost,
  };
  enum class Settled { kNot, kUntilLeft, kForEpisode };
  struct State {
    Phase phase = Phase::kIdle;
    Settled settled = Settled::kNot;
    int attempts = 0;  // of the run or undo under way
    Time next_try{};
    std::optional<std::string> token;  // of what was changed
    std::deque<Time> starts;           // of the last hour
    bool told_cool = false;            // that its cool-down holds it
    bool told_capped = false;          // that its cap does
  };
  struct Start {
    Time at{};
    Level level = Level::kNone;
  };

  // Of those with one name only the one of the highest level counts.
  [[nodiscard]] bool Wanted(std::size_t action, Level level) const;
  [[nodiscard]] std::optional<Time> CoolUntil(std::size_t action,
                                              Time now) const;
  [[nodiscard]] bool AtCap(std::size_t action, Time now) const;
  void Settle(std::size_t action);

  const Rule& rule_;
  std::vector<State> states_;            // by action
  std::map<std::string, Start> starts_;  // the last, by name
};

}  // namespace heapledger::collector::response
