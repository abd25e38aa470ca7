// SPDX-License-Identifier: Apache-2.0
#include "collector/response/engine.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "collector/response/units.h"

namespace heapledger::collector::response {
namespace {

// How long a whole attempt may take.
Duration LimitOf(const Action& action) {
  const auto* const stop = std::get_if<StopAction>(&action.kind);
  return action.timeout + (stop == nullptr ? Duration() : stop->grace);
}

Result ResultOf(Ending ending) {
  switch (ending) {
    case Ending::kDone:
      return Result::kDone;
    case Ending::kFailed:
      return Result::kFailed;
    case Ending::kRefused:
      return Result::kRefused;
    case Ending::kTimedOut:
      break;
  }
  return Result::kTimedOut;
}

}  // namespace

Engine::Engine(Rules rules, EngineOptions options)
    : rules_(std::move(rules)),
      options_(options),
      alerts_(rules_.webhook.expire) {}

void Engine::Say(Turn& turn, Event event) {
  last_events_.push_back(event);
  if (last_events_.size() > kLastEvents) last_events_.pop_front();
  turn.events.push_back(std::move(event));
}

Engine::Turn Engine::Look(Time now, std::span<const TargetReading> readings) {
  Turn turn;
  alerts_.Expire(now);
  for (const TargetReading& each : readings) {
    auto& process = processes_[each.target.key];
    // Another program took over by exec.
    if (process != nullptr && process->target.process != each.target.process) {
      Bury(*process, now);
      process.reset();
    }
    if (process == nullptr) {
      const Rule* const rule = rules_.For(each.target);
      if (rule == nullptr) {
        processes_.erase(each.target.key);
        continue;
      }
      process = std::make_unique<Process>(each.target, *rule, next_process_++);
    }
    process->seen = true;
    LookAt(*process, each, now, turn);
  }
  for (auto it = processes_.begin(); it != processes_.end();) {
    if (std::exchange(it->second->seen, false)) {
      ++it;
      continue;
    }
    Bury(*it->second, now);
    it = processes_.erase(it);
  }
  GiveUpLost(now, turn);
  Measure(now, turn);
  UndoLeftovers(now, turn);
  return turn;
}

void Engine::LookAt(Process& process, const TargetReading& reading, Time now,
                    Turn& turn) {
  process.reading = reading.reading;
  const Level before = process.watch.level();
  const Level level = process.watch.Update(
      now, reading.reading,
      alerts_.For(process.target.process, process.target.key.pid, now));
  if (level != before) {
    process.why = process.watch.Why(reading.reading);
    Say(turn, LevelEvent(process.target, level, before, process.why,
                         reading.reading, now));
    if (level > before) {
      tally_.Count({process.target.process, "notify", level},
                   options_.dry_run ? Result::kDryRun : Result::kDone);
    }
  }
  for (const std::size_t index : process.book.Enter(level)) {
    Close(process, process.rule->actions[index], Result::kFailed,
          process.reading, "the pressure is over before it could be done", now,
          turn);
  }
  Act(process, now, turn);
}

std::size_t Engine::UnderWay() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      running_,
      [](const auto& each) { return each.second.order.step == Step::kDo; }));
}

void Engine::Act(Process& process, Time now, Turn& turn) {
  const Level level = process.watch.level();
  for (const ActionBook::Held& held : process.book.HeldAt(now, level)) {
    const Action& action = process.rule->actions[held.action];
    if (held.capped) {
      tally_.Count({process.target.process, action.name, action.level},
                   Result::kCapped);
    }
    Say(turn, HeldEvent(process.target, action, held, now));
  }
  for (const ActionBook::Due& due : process.book.DueAt(now, level)) {
    if (options_.dry_run) {
      Pretend(process, due, now, turn);
    } else if (due.step == Step::kUndo || UnderWay() < options_.max_running) {
      Begin(process, due, now, turn);
    }
  }
}

Order Engine::OrderFor(const Process& process, ActionBook::Due due) {
  Order order;
  order.step = due.step;
  order.target = process.target;
  order.rule = process.rule->name;
  order.action = process.rule->actions[due.action];
  order.level = process.watch.level();
  order.reading = process.reading;
  order.why = process.why;
  if (const std::string* const token = process.book.TokenOf(due.action)) {
    order.token = *token;
  }
  return order;
}

void Engine::Send(Order order, std::size_t action, std::uint64_t process,
                  Time now, Turn& turn) {
  order.id = next_id_++;
  running_[order.id] = {order, action, process,
                        now + LimitOf(order.action) + kPatience, false};
  turn.orders.push_back(std::move(order));
}

void Engine::Begin(Process& process, ActionBook::Due due, Time now,
                   Turn& turn) {
  Order order = OrderFor(process, due);
  const auto* const snapshot = std::get_if<SnapshotAction>(&order.action.kind);
  if (snapshot != nullptr) {
    const std::uint64_t written = bytes_[{order.rule, order.action.name}];
    if (written >= snapshot->max_bytes) {
      process.book.Rest(due.action);
      Close(process, order.action, Result::kCapped, process.reading,
            absl::StrCat("its files have ", BytesText(written), ", all of ",
                         BytesText(snapshot->max_bytes),
                         " that they may; raise max_bytes"),
            now, turn);
      return;
    }
    order.bytes_left = snapshot->max_bytes - written;
  }
  process.book.Begin(due, now);
  Say(turn, BegunEvent(order, now));
  Send(std::move(order), due.action, process.number, now, turn);
}

void Engine::Pretend(Process& process, ActionBook::Due due, Time now,
                     Turn& turn) {
  const Action& action = process.rule->actions[due.action];
  process.book.Begin(due, now);
  (void)process.book.End(due,
                         {.ending = Ending::kDone,
                          .message = {},
                          .changed = IsTemporary(action.kind)},
                         now);
  tally_.Count({process.target.process, action.name, action.level},
               Result::kDryRun);
  Say(turn, PretendedEvent(process.target, action, due.step, now));
}

void Engine::Close(Process& process, const Action& action, Result result,
                   const Reading& before, const std::string& message, Time now,
                   Turn& turn) {
  const ActionLabel label{process.target.process, action.name, action.level};
  const bool measured =
      result == Result::kDone && FactsOf(action.kind).meant_to_reduce;
  if (measured) {
    tally_.Measure(label, process.target.key, before, now);
  } else {
    tally_.Count(label, result);
  }
  Say(turn,
      OverEvent(process.target, action,
                measured ? std::nullopt : std::optional(result), message, now));
}

void Engine::CloseUndo(const Order& order, bool undone,
                       const std::string& message, Time now, Turn& turn) {
  const Result result = undone ? Result::kUndone : Result::kNotUndone;
  tally_.Count({order.target.process, order.action.name, order.action.level},
               result);
  Say(turn, UndoneEvent(order, undone, message, now));
}

Engine::Turn Engine::Finish(Time now, std::uint64_t id,
                            const Outcome& outcome) {
  Turn turn;
  const auto node = running_.extract(id);
  if (node.empty()) return turn;
  const Running& running = node.mapped();
  const Order& order = running.order;
  if (outcome.bytes != 0) {
    bytes_[{order.rule, order.action.name}] += outcome.bytes;
  }
  Process* const process = ProcessOf(running);
  if (process == nullptr) {
    FinishOrphan(running, outcome, now, turn);
  } else if (running.lost) {
    process->book.Late({running.action, order.step}, outcome);
    if (order.step == Step::kUndo && outcome.ending == Ending::kDone) {
      CloseUndo(order, true, outcome.message, now, turn);
    }
  } else {
    End(*process, running, outcome, now, turn);
  }
  return turn;
}

// Null where the program has ended, or is another one by now.
Engine::Process* Engine::ProcessOf(const Running& running) {
  const auto process = processes_.find(running.order.target.key);
  if (process == processes_.end() ||
      process->second->number != running.process) {
    return nullptr;
  }
  return process->second.get();
}

void Engine::End(Process& process, const Running& running,
                 const Outcome& outcome, Time now, Turn& turn, bool lost) {
  const Order& order = running.order;
  const ActionBook::Due due{running.action, order.step};
  const std::optional<Result> result =
      process.book.End(due, outcome, now, lost);
  if (result && order.step == Step::kDo) {
    return Close(process, order.action, *result, order.reading, outcome.message,
                 now, turn);
  }
  if (order.step == Step::kUndo && !lost) {
    const bool undone = outcome.ending == Ending::kDone;
    if (undone || process.book.TokenOf(running.action) == nullptr) {
      return CloseUndo(order, undone, outcome.message, now, turn);
    }
  }
  Say(turn, RetriedEvent(order, outcome.message, lost, now));
}

// The program ended meanwhile.
void Engine::FinishOrphan(const Running& running, const Outcome& outcome,
                          Time now, Turn& turn) {
  const Order& order = running.order;
  if (order.step == Step::kDo) {
    if (!running.lost) {
      Result result = ResultOf(outcome.ending);
      if (result == Result::kDone &&
          FactsOf(order.action.kind).meant_to_reduce) {
        result = Result::kEnded;
      }
      tally_.Count(
          {order.target.process, order.action.name, order.action.level},
          result);
      Say(turn,
          OverEvent(order.target, order.action, result, outcome.message, now));
    }
    if (outcome.changed && IsTemporary(order.action.kind)) {
      Leave(order, outcome.token, now);
    }
    return;
  }
  auto left = std::ranges::find_if(leftovers_, [&](const Leftover& each) {
    return each.running && each.order.id == order.id;
  });
  if (outcome.ending == Ending::kDone) {
    if (left != leftovers_.end()) leftovers_.erase(left);
    return CloseUndo(order, true, outcome.message, now, turn);
  }
  if (left == leftovers_.end()) return Leave(order, std::nullopt, now);
  left->running = false;
  left->next_try = now + BackOff(left->attempts);
  if (left->attempts < kUndoTries) return;
  leftovers_.erase(left);
  CloseUndo(order, false, outcome.message, now, turn);
}

void Engine::Leave(Order order, std::optional<std::string> token, Time now) {
  if (!OutlivesTarget(order.action.kind)) return;
  order.step = Step::kUndo;
  order.level = Level::kNone;
  if (token) order.token = *std::move(token);
  leftovers_.push_back({std::move(order), 0, now, false});
}

bool Engine::BeingUndone(const Process& process, std::size_t action) const {
  return std::ranges::any_of(running_, [&](const auto& each) {
    const Running& running = each.second;
    return running.order.step == Step::kUndo && running.action == action &&
           running.process == process.number;
  });
}

void Engine::Bury(Process& process, Time now) {
  for (std::size_t i = 0; i < process.rule->actions.size(); ++i) {
    if (process.book.TokenOf(i) == nullptr || options_.dry_run ||
        BeingUndone(process, i)) {
      continue;
    }
    Leave(OrderFor(process, {i, Step::kUndo}), std::nullopt, now);
  }
}

void Engine::GiveUpLost(Time now, Turn& turn) {
  for (auto& [id, running] : running_) {
    if (running.lost || now < running.deadline) continue;
    running.lost = true;
    Process* const process = ProcessOf(running);
    if (process == nullptr) continue;
    End(*process, running,
        {.ending = Ending::kTimedOut,
         .message = "nobody heard of it any more in time"},
        now, turn, true);
  }
}

void Engine::Measure(Time now, Turn& turn) {
  const auto measured =
      tally_.Judge(now, [this](const TargetKey& target) -> const Reading* {
        const auto process = processes_.find(target);
        return process == processes_.end() ? nullptr
                                           : &process->second->reading;
      });
  for (const Tally::Measured& each : measured) {
    Say(turn, MeasuredEvent(each, now));
  }
}

void Engine::UndoLeftovers(Time now, Turn& turn) {
  for (Leftover& left : leftovers_) {
    if (left.running || now < left.next_try) continue;
    left.running = true;
    ++left.attempts;
    left.order.id = next_id_;
    Send(left.order, 0, 0, now, turn);
  }
}

Engine::Turn Engine::UndoAll(Time now) {
  Turn turn;
  for (auto& [key, process] : processes_) {
    for (std::size_t i = 0; i < process->rule->actions.size(); ++i) {
      if (process->book.TokenOf(i) == nullptr || BeingUndone(*process, i))
        continue;
      if (options_.dry_run) {
        Pretend(*process, {i, Step::kUndo}, now, turn);
        continue;
      }
      Order order = OrderFor(*process, {i, Step::kUndo});
      order.level = Level::kNone;
      process->book.Begin({i, Step::kUndo}, now);
      Send(std::move(order), i, process->number, now, turn);
    }
  }
  for (Leftover& left : leftovers_) left.next_try = now;
  UndoLeftovers(now, turn);
  return turn;
}

std::shared_ptr<const ResponseView> Engine::View() const {
  auto view = std::make_shared<ResponseView>();
  view->dry_run = options_.dry_run;
  for (const auto& [key, process] : processes_) {
    view->levels.push_back({process->target, process->watch.level()});
  }
  view->counts = tally_.counts();
  view->reduced = tally_.reduced();
  view->last_events = last_events_;
  return view;
}

}  // namespace heapledger::collector::response
