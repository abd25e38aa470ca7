// SPDX-License-Identifier: Apache-2.0
// The engine under random readings, alerts, outcomes, delays and ends of
// programs, held against a model of what it may do: the limits are counted here
// anew, from the orders alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "collector/response/engine.h"
#include "tests/unit/collector/response/response_fixtures.h"

namespace heapledger::collector::response {
namespace {

using namespace std::chrono_literals;

constexpr char kRules[] = R"(rules:
  - levels:
      low: {usage: 70%, dwell: 1s, do: [{mark: {cool_down: 10s}}]}
      medium:
        usage: 80%
        dwell: 1s
        cool_down: 20s
        do:
          - {trim: {per_hour: 20}}
          - {snapshot: {file: /x.hl, max_bytes: 5000}}
          - {exec: {command: [/a], undo: [/b]}}
          - callbacks
      high:
        usage: 90%
        dwell: 500ms
        cool_down: 30s
        do: [trim, {memory_high: {per_hour: 5}}, callbacks]
      critical:
        usage: 95%
        dwell: 200ms
        cool_down: 5s
        do: [{trim: {per_hour: 10}}, oom_score, {stop: {grace: 1s}}]
)";
constexpr std::size_t kMaxRunning = 4;

class Model {
 public:
  explicit Model(std::uint32_t seed)
      : random_(seed),
        engine_(RulesFrom(kRules),
                {.dry_run = false, .max_running = kMaxRunning}) {}

  void Run(int looks) {
    for (int i = 0; i < looks; ++i) {
      now_ += std::chrono::milliseconds(Pick(20, 2000));
      EndSome();
      MoveUsage();
      TakeAlerts();
      Look();
      if (::testing::Test::HasFailure()) return;
    }
    CalmDown();
  }

 private:
  struct Program {
    std::uint32_t pid;
    double usage;
  };
  using ActionOf = std::tuple<std::uint32_t, std::string, Level>;

  int Pick(int least, int most) {
    return std::uniform_int_distribution(least, most)(random_);
  }
  bool Chance(int percent) { return Pick(1, 100) <= percent; }

  void MoveUsage() {
    if (programs_.empty() || (programs_.size() < 3 && Chance(5))) {
      programs_.push_back({next_pid_++, 0.5});
    }
    for (Program& program : programs_) {
      program.usage =
          std::clamp(program.usage + Pick(-100, 105) / 1000.0, 0.3, 1.0);
    }
    if (Chance(1)) programs_.erase(programs_.begin());
  }

  void TakeAlerts() {
    if (!Chance(3)) return;
    const auto level = static_cast<Level>(Pick(0, 4));
    (void)engine_.TakeAlert({std::to_string(Pick(1, 3)), "db", {}, level},
                            now_);
  }

  void EndSome() {
    std::shuffle(open_.begin(), open_.end(), random_);
    std::vector<Order> still;
    for (const Order& order : open_) {
      if (!Chance(60)) {
        still.push_back(order);
      } else if (Chance(2)) {  // Nobody ever hears of it.
        lost_.insert(Key(order));
      } else {
        End(order);
      }
    }
    open_ = std::move(still);
  }

  void End(const Order& order, bool well = false) {
    Outcome outcome;
    if (!well && Chance(30)) outcome.ending = static_cast<Ending>(Pick(1, 3));
    if (IsTemporary(order.action.kind) && order.step == Step::kDo) {
      outcome.changed = outcome.ending == Ending::kDone ||
                        (outcome.ending != Ending::kRefused && Chance(50));
    }
    const ActionOf key = Key(order);
    if (order.step == Step::kDo && outcome.changed) {
      const bool fresh = !changed_.contains(key);
      if (fresh) changed_[key] = std::to_string(order.id);
      outcome.token = fresh ? changed_[key] : "later";
    }
    if (order.step == Step::kDo && (outcome.ending != Ending::kFailed ||
                                    runs_[key] > order.action.retries)) {
      runs_.erase(key);
    }
    if (order.step == Step::kUndo) {
      if (outcome.ending == Ending::kDone ||
          ++undo_failures_[key] >= kUndoTries) {
        changed_.erase(key);
        undo_failures_.erase(key);
      }
    }
    if (std::holds_alternative<SnapshotAction>(order.action.kind) &&
        outcome.ending == Ending::kDone) {
      outcome.bytes = std::min<std::uint64_t>(
          order.bytes_left, static_cast<std::uint64_t>(Pick(1, 2000)));
      bytes_ += outcome.bytes;
      EXPECT_LE(bytes_, 5000U) << "more bytes than the limit";
    }
    (void)engine_.Finish(now_, order.id, outcome);
  }

  static ActionOf Key(const Order& order) {
    return {order.target.key.pid, order.action.name, order.action.level};
  }

  void Look() {
    std::vector<TargetReading> readings;
    for (const Program& program : programs_) {
      readings.push_back(Of(program.pid, Usage(program.usage)));
    }
    const Engine::Turn turn = engine_.Look(now_, readings);
    std::size_t doing = static_cast<std::size_t>(
        std::ranges::count(open_, Step::kDo, &Order::step));
    for (const Order& order : turn.orders) {
      if (order.step == Step::kDo) ++doing;
      Check(order);
      open_.push_back(order);
    }
    EXPECT_LE(doing, kMaxRunning);
    CloseRuns();
    CheckUndos();
  }

  // What has been changed and stands above its program's level is on its way
  // back: being undone, or waiting for its next try.
  void CheckUndos() {
    const auto view = engine_.View();
    for (const auto& [key, token] : changed_) {
      const auto& [pid, name, level] = key;
      const auto program = std::ranges::find(
          view->levels, pid,
          [](const LevelView& each) { return each.target.key.pid; });
      if (program == view->levels.end() || lost_.contains(key)) continue;
      if (program->level >= level) {
        undo_failures_.erase(key);
        continue;
      }
      const bool under_way = std::ranges::any_of(
          open_, [&key](const Order& order) { return Key(order) == key; });
      EXPECT_TRUE(under_way || undo_failures_.contains(key))
          << name << " of pid " << pid << " is not undone";
    }
  }

  void Check(const Order& order) {
    const ActionOf key = Key(order);
    const std::string text =
        order.action.name + " of pid " + std::to_string(order.target.key.pid);
    EXPECT_TRUE(std::ranges::none_of(
        open_, [&key](const Order& other) { return Key(other) == key; }))
        << text << " twice at once";
    if (order.step == Step::kUndo) {
      EXPECT_TRUE(changed_.contains(key)) << text << " undone and never done";
      if (changed_.contains(key)) {
        EXPECT_EQ(order.token, changed_[key]) << text;
      }
      EXPECT_LT(order.level, order.action.level) << text;
      return;
    }
    EXPECT_GE(order.level, order.action.level) << text;
    CheckTimes(order, text);
  }

  void CheckTimes(const Order& order, const std::string& text) {
    const ActionOf key = Key(order);
    if (runs_.contains(key)) {  // A further attempt of a run.
      EXPECT_LE(++runs_[key], order.action.retries + 1) << text;
      return;
    }
    runs_[key] = 1;
    Start& last = starts_[{order.target.key.pid, order.action.name}];
    EXPECT_TRUE(last.level < order.action.level ||
                now_ - last.at >= order.action.cool_down)
        << text << " before its cool-down is over";
    last = {now_, order.action.level};
    std::vector<Time>& hour = hours_[key];
    std::erase_if(hour, [this](Time at) { return now_ - at >= 1h; });
    hour.push_back(now_);
    EXPECT_LE(hour.size(), order.action.per_hour) << text;
    if (FactsOf(order.action.kind).recurrence == Recurrence::kPerEpisode) {
      EXPECT_TRUE(once_[order.target.key.pid].insert(order.action.name).second)
          << text << " twice in one episode";
    }
  }

  // Runs whose level is gone are not tried again.
  void CloseRuns() {
    const auto view = engine_.View();
    std::erase_if(runs_, [&](const auto& run) {
      const auto& [pid, name, level] = run.first;
      const auto program = std::ranges::find(
          view->levels, pid,
          [](const LevelView& each) { return each.target.key.pid; });
      const bool open = std::ranges::any_of(open_, [&run](const Order& order) {
        return Key(order) == run.first;
      });
      return program == view->levels.end() || (!open && program->level < level);
    });
    for (const LevelView& each : view->levels) {
      if (each.level == Level::kNone) once_.erase(each.target.key.pid);
    }
  }

  // Everything that was changed comes back once nothing presses any more.
  void CalmDown() {
    for (Program& program : programs_) program.usage = 0.1;
    for (int i = 1; i <= 3; ++i) {
      (void)engine_.TakeAlert({std::to_string(i), "db", {}, Level::kNone},
                              now_);
    }
    for (int i = 0; i < 300; ++i) {
      now_ += 1s;
      for (const Order& order : std::exchange(open_, {})) End(order, true);
      Look();
    }
    const auto lost = std::ranges::count_if(changed_, [this](const auto& each) {
      // Of a program that ended nothing but its cgroup and hooks are left.
      const auto& [pid, name, level] = each.first;
      const bool runs = std::ranges::any_of(
          programs_,
          [p = pid](const Program& other) { return other.pid == p; });
      return !lost_.contains(each.first) &&
             (runs || name == "memory_high" || name == "exec:a" ||
              name == "oom_score");
    });
    EXPECT_EQ(lost, 0) << "what was changed has not come back";
  }

  struct Start {
    Time at{};
    Level level = Level::kNone;
  };

  std::mt19937 random_;
  Engine engine_;
  Time now_ = 1000s;
  std::vector<Program> programs_;
  std::uint32_t next_pid_ = 1;
  std::vector<Order> open_;
  std::map<ActionOf, std::string> changed_;
  std::map<ActionOf, int> undo_failures_;
  std::map<ActionOf, int> runs_;  // attempts of those that go on
  std::set<ActionOf> lost_;
  std::map<std::pair<std::uint32_t, std::string>, Start> starts_;
  std::map<ActionOf, std::vector<Time>> hours_;
  std::map<std::uint32_t, std::set<std::string>> once_;  // this episode
  std::uint64_t bytes_ = 0;
};

TEST(EngineModelTest, KeepsItsLimitsWhateverHappens) {
  const char* const asked = std::getenv("HEAPLEDGER_SEED");
  const auto first = static_cast<std::uint32_t>(
      asked == nullptr ? 1 : std::strtoul(asked, nullptr, 10));
  for (std::uint32_t seed = first; seed < first + 10; ++seed) {
    SCOPED_TRACE("HEAPLEDGER_SEED=" + std::to_string(seed));
    Model(seed).Run(1000);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace heapledger::collector::response
