// SPDX-License-Identifier: Apache-2.0
// What happened in the response, in words.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "collector/response/action_book.h"
#include "collector/response/order.h"
#include "collector/response/tally.h"

namespace heapledger::collector::response {

enum class EventKind : std::uint8_t {
  kLevel,      // another level
  kBegun,      // an action; with dry_run it would be
  kHeld,       // an action that the level asks for waits
  kOver,       // an action is over, or its effect has been measured
  kRetried,    // an attempt failed, and there may be another
  kUndone,     // what an action changed is as it was
  kNotUndone,  // or cannot be made so
};

// The words of EventKind, as JSON has them.
[[nodiscard]] std::string_view EventWord(EventKind kind);

struct Event {
  Time at{};
  EventKind kind = EventKind::kLevel;
  std::string process;
  std::uint32_t pid = 0;
  Level level = Level::kNone;  // of the program; of an action, its own
  std::string action;
  std::optional<Result> result;
  std::string text;  // the whole of it, as a log line without its time
};

[[nodiscard]] Event LevelEvent(const Target& target, Level level, Level before,
                               const std::string& why, const Reading& reading,
                               Time now);
[[nodiscard]] Event HeldEvent(const Target& target, const Action& action,
                              const ActionBook::Held& held, Time now);
[[nodiscard]] Event BegunEvent(const Order& order, Time now);
// Of a dry run.
[[nodiscard]] Event PretendedEvent(const Target& target, const Action& action,
                                   Step step, Time now);
// None where only time will tell whether it reduced memory.
[[nodiscard]] Event OverEvent(const Target& target, const Action& action,
                              std::optional<Result> result,
                              const std::string& message, Time now);
[[nodiscard]] Event MeasuredEvent(const Tally::Measured& measured, Time now);
[[nodiscard]] Event RetriedEvent(const Order& order, const std::string& message,
                                 bool lost, Time now);
[[nodiscard]] Event UndoneEvent(const Order& order, bool undone,
                                const std::string& message, Time now);

}  // namespace heapledger::collector::response
