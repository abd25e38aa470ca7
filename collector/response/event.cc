// SPDX-License-Identifier: Apache-2.0
#include "collector/response/event.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "collector/response/units.h"

namespace heapledger::collector::response {
namespace {

std::string Who(const Target& target) {
  return absl::StrCat(target.process, " (pid ", target.key.pid, ")");
}

std::string Use(const Reading& reading) {
  return reading.limit_bytes == 0
             ? BytesText(reading.used_bytes)
             : absl::StrCat(BytesText(reading.used_bytes), " of ",
                            BytesText(reading.limit_bytes));
}

std::string AndWhy(const std::string& message) {
  return message.empty() ? "" : ": " + message;
}

Event EventOf(EventKind kind, const Target& target, Level level, Time now) {
  return {now, kind, target.process, target.key.pid, level, {}, {}, {}};
}

Event EventOf(EventKind kind, const Target& target, const Action& action,
              Time now) {
  Event event = EventOf(kind, target, action.level, now);
  event.action = action.name;
  return event;
}

// "undo trim"; "trim".
std::string Deed(const Order& order) {
  return absl::StrCat(order.step == Step::kUndo ? "undo " : "",
                      order.action.name);
}

}  // namespace

std::string_view EventWord(EventKind kind) {
  constexpr std::array<std::string_view, 7> kWords = {
      "level", "begun", "held", "over", "retried", "undone", "not_undone"};
  return kWords[static_cast<std::size_t>(kind)];
}

Event LevelEvent(const Target& target, Level level, Level before,
                 const std::string& why, const Reading& reading, Time now) {
  Event event = EventOf(EventKind::kLevel, target, level, now);
  event.text = absl::StrCat(
      Who(target), ": pressure ", std::string(LevelWord(level)), ", was ",
      std::string(LevelWord(before)), AndWhy(why), "; uses ", Use(reading));
  return event;
}

Event HeldEvent(const Target& target, const Action& action,
                const ActionBook::Held& held, Time now) {
  Event event = EventOf(EventKind::kHeld, target, action, now);
  if (held.capped) event.result = Result::kCapped;
  event.text = absl::StrCat(
      Who(target), ": ", action.name, " waits: ",
      held.capped
          ? absl::StrCat("it was done ", action.per_hour,
                         " times within an hour")
          : absl::StrCat("its cool-down ends in ", SpanText(held.until - now)));
  return event;
}

Event BegunEvent(const Order& order, Time now) {
  Event event = EventOf(EventKind::kBegun, order.target, order.action, now);
  event.text = absl::StrCat(Who(order.target), ": ", Deed(order), " begins");
  return event;
}

Event PretendedEvent(const Target& target, const Action& action, Step step,
                     Time now) {
  const bool undo = step == Step::kUndo;
  Event event = EventOf(undo ? EventKind::kUndone : EventKind::kBegun, target,
                        action, now);
  event.result = Result::kDryRun;
  event.text = absl::StrCat(Who(target), ": dry run: would ",
                            undo ? "undo " : "do ", action.name);
  return event;
}

Event OverEvent(const Target& target, const Action& action,
                std::optional<Result> result, const std::string& message,
                Time now) {
  Event event = EventOf(EventKind::kOver, target, action, now);
  event.result = result;
  event.text = absl::StrCat(
      Who(target), ": ", action.name, " ",
      std::string(ResultWord(result.value_or(Result::kDone))), AndWhy(message));
  return event;
}

Event MeasuredEvent(const Tally::Measured& measured, Time now) {
  Event event;
  event.at = now;
  event.kind = EventKind::kOver;
  event.process = measured.label.process;
  event.pid = measured.target.pid;
  event.level = measured.label.level;
  event.action = measured.label.action;
  event.result = measured.result;
  std::string what = " was done, and the program ended";
  if (measured.result == Result::kReduced) {
    what = " reduced memory by " + BytesText(measured.bytes);
  } else if (measured.result == Result::kNotReduced) {
    what = " did not reduce memory";
  }
  event.text = absl::StrCat(event.process, " (pid ", event.pid,
                            "): ", event.action, what);
  return event;
}

Event RetriedEvent(const Order& order, const std::string& message, bool lost,
                   Time now) {
  Event event = EventOf(EventKind::kRetried, order.target, order.action, now);
  event.text =
      absl::StrCat(Who(order.target), ": ", Deed(order),
                   lost ? " does not come to its end" : " failed",
                   AndWhy(message), lost ? "" : "; will be tried again");
  return event;
}

Event UndoneEvent(const Order& order, bool undone, const std::string& message,
                  Time now) {
  Event event = EventOf(undone ? EventKind::kUndone : EventKind::kNotUndone,
                        order.target, order.action, now);
  event.result = undone ? Result::kUndone : Result::kNotUndone;
  event.text = absl::StrCat(
      Who(order.target), ": ", order.action.name,
      undone ? " undone" : " could not be undone and stays", AndWhy(message));
  return event;
}

}  // namespace heapledger::collector::response
