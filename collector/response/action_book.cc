// SPDX-License-Identifier: Apache-2.0
#include "collector/response/action_book.h"

#include <algorithm>
#include <utility>

namespace heapledger::collector::response {
namespace {

constexpr Duration kHour = std::chrono::hours(1);
constexpr Duration kLongestBackOff = std::chrono::minutes(1);

}  // namespace

Duration BackOff(int attempts) {
  const int doublings = std::clamp(attempts - 1, 0, 6);
  return std::min<Duration>(kLongestBackOff,
                            std::chrono::seconds(std::int64_t{1} << doublings));
}

std::vector<std::size_t> ActionBook::Enter(Level level) {
  std::vector<std::size_t> given_up;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    State& state = states_[i];
    if (level >= rule_.actions[i].level) {
      // Asked for again before it could be undone: then it stays.
      if (state.phase == Phase::kUndoRetrying) state.phase = Phase::kActive;
      continue;
    }
    if (state.phase == Phase::kRetrying) {
      state.phase = state.token ? Phase::kActive : Phase::kIdle;
      Settle(i);
      given_up.push_back(i);
    }
    if (state.settled == Settled::kUntilLeft || level == Level::kNone) {
      state.settled = Settled::kNot;
    }
    state.told_cool = false;
    state.told_capped = false;
  }
  return given_up;
}

bool ActionBook::Wanted(std::size_t action, Level level) const {
  const Action& wanted = rule_.actions[action];
  if (level < wanted.level) return false;
  // Actions stand in the order of their levels.
  return std::none_of(
      rule_.actions.begin() + static_cast<std::ptrdiff_t>(action) + 1,
      rule_.actions.end(), [&](const Action& other) {
        return other.name == wanted.name && other.level <= level &&
               // The program is told each level, and each has its own undo.
               !IsTemporary(wanted.kind);
      });
}

std::optional<Time> ActionBook::CoolUntil(std::size_t action, Time now) const {
  const Action& wanted = rule_.actions[action];
  const auto last = starts_.find(wanted.name);
  if (last == starts_.end() || last->second.level < wanted.level) {
    return std::nullopt;
  }
  const Time until = last->second.at + wanted.cool_down;
  return now < until ? std::optional(until) : std::nullopt;
}

bool ActionBook::AtCap(std::size_t action, Time now) const {
  const std::size_t recent = static_cast<std::size_t>(std::ranges::count_if(
      states_[action].starts, [now](Time at) { return now - at < kHour; }));
  return recent >= rule_.actions[action].per_hour;
}

std::vector<ActionBook::Due> ActionBook::DueAt(Time now, Level level) const {
  std::vector<Due> due;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    const State& state = states_[i];
    const bool below = level < rule_.actions[i].level;
    switch (state.phase) {
      case Phase::kIdle:
        if (state.settled == Settled::kNot && Wanted(i, level) &&
            !CoolUntil(i, now) && !AtCap(i, now)) {
          due.push_back({i, Step::kDo});
        }
        break;
      case Phase::kRetrying:
        if (!below && now >= state.next_try) due.push_back({i, Step::kDo});
        break;
      case Phase::kActive:
        if (below) due.push_back({i, Step::kUndo});
        break;
      case Phase::kUndoRetrying:
        if (now >= state.next_try) due.push_back({i, Step::kUndo});
        break;
      default:
        break;
    }
  }
  return due;
}

std::vector<ActionBook::Held> ActionBook::HeldAt(Time now, Level level) {
  std::vector<Held> held;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    State& state = states_[i];
    if (state.phase != Phase::kIdle || state.settled != Settled::kNot ||
        !Wanted(i, level)) {
      continue;
    }
    const std::optional<Time> until = CoolUntil(i, now);
    const bool capped = !until && AtCap(i, now);
    if (!until && !capped) continue;
    if (std::exchange(capped ? state.told_capped : state.told_cool, true)) {
      continue;
    }
    held.push_back({i, capped, until.value_or(now)});
  }
  return held;
}

void ActionBook::Begin(Due due, Time now) {
  State& state = states_[due.action];
  const Action& action = rule_.actions[due.action];
  if (due.step == Step::kUndo) {
    if (state.phase == Phase::kActive) state.attempts = 0;
    ++state.attempts;
    state.phase = Phase::kUndoing;
    return;
  }
  if (state.phase == Phase::kIdle) {
    state.attempts = 0;
    std::erase_if(state.starts, [now](Time at) { return now - at >= kHour; });
    state.starts.push_back(now);
    starts_[action.name] = {now, action.level};
    // That it rests after its own run goes without saying.
    state.told_cool = true;
  }
  ++state.attempts;
  state.phase = Phase::kRunning;
}

void ActionBook::Settle(std::size_t action) {
  switch (FactsOf(rule_.actions[action].kind).recurrence) {
    case Recurrence::kWhilePressed:
      break;
    case Recurrence::kPerEntry:
      states_[action].settled = Settled::kUntilLeft;
      break;
    case Recurrence::kPerEpisode:
      states_[action].settled = Settled::kForEpisode;
      break;
  }
}

std::optional<Result> ActionBook::End(Due due, const Outcome& outcome, Time now,
                                      bool lost) {
  State& state = states_[due.action];
  const Action& action = rule_.actions[due.action];
  if (lost) {
    state.phase = Phase::kLost;
    return Result::kTimedOut;
  }
  if (due.step == Step::kUndo) {
    if (outcome.ending == Ending::kDone || state.attempts >= kUndoTries) {
      state.phase = Phase::kIdle;
      state.token.reset();
    } else {
      state.phase = Phase::kUndoRetrying;
      state.next_try = now + BackOff(state.attempts);
    }
    return std::nullopt;
  }
  // What was there before the first attempt is what an undo goes back to.
  const bool changed = IsTemporary(action.kind) && outcome.changed;
  if (changed && !state.token) state.token = outcome.token;
  if (outcome.ending == Ending::kFailed && state.attempts <= action.retries) {
    state.phase = Phase::kRetrying;
    state.next_try = now + BackOff(state.attempts);
    return std::nullopt;
  }
  state.phase = state.token ? Phase::kActive : Phase::kIdle;
  switch (outcome.ending) {
    case Ending::kDone:
      Settle(due.action);
      return Result::kDone;
    case Ending::kFailed:
      Settle(due.action);
      return Result::kFailed;
    case Ending::kTimedOut:
      Settle(due.action);
      return Result::kTimedOut;
    case Ending::kRefused:
      break;
  }
  state.settled = Settled::kForEpisode;
  return Result::kRefused;
}

void ActionBook::Late(Due due, const Outcome& outcome) {
  State& state = states_[due.action];
  state.phase = Phase::kIdle;
  Settle(due.action);
  if (due.step == Step::kUndo) {
    if (outcome.ending == Ending::kDone) {
      state.token.reset();
    } else {
      state.phase = Phase::kActive;
    }
    return;
  }
  if (!IsTemporary(rule_.actions[due.action].kind) || !outcome.changed) return;
  if (!state.token) state.token = outcome.token;
  state.phase = Phase::kActive;
}

const std::string* ActionBook::TokenOf(std::size_t action) const {
  const State& state = states_[action];
  const bool changed =
      state.phase == Phase::kActive || state.phase == Phase::kUndoRetrying ||
      state.phase == Phase::kUndoing || state.phase == Phase::kRetrying;
  return changed && state.token ? &*state.token : nullptr;
}

}  // namespace heapledger::collector::response
