// SPDX-License-Identifier: Apache-2.0
// The response to pressure on memory: readings and alerts in, orders out. One
// level per program; what each level asks for comes from the rules; what was
// done comes back as outcomes. Pure: it knows no clock, no process and no file,
// so a history can be replayed through it as well as the present.
//
// Thread safety: one thread at a time.
//
// Invariants, beside those of action_book.h:
//  (1) No more than max_running orders are under way, undoing apart: what is
//      not begun waits for the next look.
//  (2) With dry_run there are no orders at all; events say what there would be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "collector/response/action_book.h"
#include "collector/response/alert_book.h"
#include "collector/response/event.h"
#include "collector/response/level_watch.h"
#include "collector/response/order.h"
#include "collector/response/rules.h"
#include "collector/response/tally.h"

namespace heapledger::collector::response {

struct TargetReading {
  Target target;
  Reading reading;
};

struct EngineOptions {
  bool dry_run = false;
  std::size_t max_running = 8;
};

struct LevelView {
  Target target;
  Level level = Level::kNone;
};

// What is shown to others.
struct ResponseView {
  bool dry_run = false;
  std::vector<LevelView> levels;
  std::vector<ActionCount> counts;
  std::vector<ReducedBytes> reduced;
  std::deque<Event> last_events;  // oldest first
};

class Engine {
 public:
  static constexpr std::size_t kLastEvents = 200;
  // An order is waited for this long beyond its own time-out.
  static constexpr Duration kPatience = std::chrono::seconds(5);

  struct Turn {
    std::vector<Order> orders;
    std::vector<Event> events;
  };

  Engine(Rules rules, EngineOptions options);

  // One look at all programs that a rule fits; one that is missing has ended.
  // Times must not go back.
  Turn Look(Time now, std::span<const TargetReading> readings);
  // The outcome of an order. An id that is not known is left alone.
  Turn Finish(Time now, std::uint64_t id, const Outcome& outcome);
  // False where there are more alerts than are kept.
  bool TakeAlert(const Alert& alert, Time now) {
    return alerts_.Take(alert, now);
  }
  // To be called last: undoes all that was changed, whatever the level.
  Turn UndoAll(Time now);

  [[nodiscard]] const Rules& rules() const { return rules_; }
  [[nodiscard]] bool dry_run() const { return options_.dry_run; }
  [[nodiscard]] std::shared_ptr<const ResponseView> View() const;
  // Whether anything is to be waited for.
  [[nodiscard]] std::size_t running() const { return running_.size(); }

 private:
  struct Process {
    Target target;
    const Rule* rule;
    LevelWatch watch;
    ActionBook book;
    Reading reading;
    std::string why;
    // By exec a process becomes another program: orders are of one of them.
    const std::uint64_t number;
    bool seen = false;

    Process(const Target& who, const Rule& of, std::uint64_t count)
        : target(who), rule(&of), watch(of), book(of), number(count) {}
  };
  struct Running {
    Order order;
    std::size_t action = 0;     // index into the rule's
    std::uint64_t process = 0;  // its number; 0: of a leftover
    Time deadline{};
    bool lost = false;
  };
  // What stays to be undone of a program that has ended.
  struct Leftover {
    Order order;
    int attempts = 0;
    Time next_try{};
    bool running = false;
  };

  void LookAt(Process& process, const TargetReading& reading, Time now,
              Turn& turn);
  void Act(Process& process, Time now, Turn& turn);
  void Begin(Process& process, ActionBook::Due due, Time now, Turn& turn);
  void End(Process& process, const Running& running, const Outcome& outcome,
           Time now, Turn& turn, bool lost = false);
  void Close(Process& process, const Action& action, Result result,
             const Reading& before, const std::string& message, Time now,
             Turn& turn);
  void Pretend(Process& process, ActionBook::Due due, Time now, Turn& turn);
  void GiveUpLost(Time now, Turn& turn);
  void CloseUndo(const Order& order, bool undone, const std::string& message,
                 Time now, Turn& turn);
  void FinishOrphan(const Running& running, const Outcome& outcome, Time now,
                    Turn& turn);
  void Bury(Process& process, Time now);
  void Measure(Time now, Turn& turn);
  void UndoLeftovers(Time now, Turn& turn);
  void Leave(Order order, std::optional<std::string> token, Time now);
  void Send(Order order, std::size_t action, std::uint64_t process, Time now,
            Turn& turn);
  [[nodiscard]] Process* ProcessOf(const Running& running);
  void Say(Turn& turn, Event event);

  [[nodiscard]] Order OrderFor(const Process& process, ActionBook::Due due);
  [[nodiscard]] std::size_t UnderWay() const;
  [[nodiscard]] bool BeingUndone(const Process& process,
                                 std::size_t action) const;

  const Rules rules_;
  const EngineOptions options_;
  AlertBook alerts_;
  Tally tally_;
  std::map<TargetKey, std::unique_ptr<Process>> processes_;
  std::map<std::uint64_t, Running> running_;  // by order
  std::vector<Leftover> leftovers_;
  // Written to files, by rule and action.
  std::map<std::pair<std::string, std::string>, std::uint64_t> bytes_;
  std::deque<Event> last_events_;
  std::uint64_t next_id_ = 1;
  std::uint64_t next_process_ = 1;
};

}  // namespace heapledger::collector::response
