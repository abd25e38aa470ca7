// SPDX-License-Identifier: Apache-2.0
#include "collector/response/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/collector/response/response_fixtures.h"

namespace heapledger::collector::response {
namespace {

using namespace std::chrono_literals;

// Levels are entered at once, so that tests need not wait for them.
constexpr char kAtOnce[] = "usage: {enter: 80%, leave: 70%}, dwell: 0s";

Rules Medium(const std::string& actions, const std::string& high = "trim") {
  return RulesFrom("rules: [{levels: {medium: {" + std::string(kAtOnce) +
                   ", do: [" + actions +
                   "]}, high: {usage: {enter: 90%, leave: 85%}, dwell: 0s, "
                   "do: [" +
                   high + "]}}}]");
}

class EngineTest : public ::testing::Test {
 protected:
  void Start(const Rules& rules, EngineOptions options = {}) {
    engine_.emplace(rules, options);
  }
  // One look at one program.
  std::vector<Order> Look(Time now, double usage, std::uint32_t pid = 1) {
    return Look(now, std::vector{Of(pid, Usage(usage))});
  }
  std::vector<Order> Look(Time now, std::vector<TargetReading> readings) {
    Engine::Turn turn = engine_->Look(now, readings);
    events_.insert(events_.end(), turn.events.begin(), turn.events.end());
    return turn.orders;
  }
  void Finish(Time now, const Order& order, Outcome outcome = {}) {
    if (IsTemporary(order.action.kind) && order.step == Step::kDo &&
        outcome.ending == Ending::kDone) {
      outcome.changed = true;
    }
    Engine::Turn turn = engine_->Finish(now, order.id, outcome);
    events_.insert(events_.end(), turn.events.begin(), turn.events.end());
  }
  std::uint64_t Count(const std::string& action, Result result) {
    std::uint64_t sum = 0;
    for (const ActionCount& each : engine_->View()->counts) {
      if (each.label.action == action && each.result == result) {
        sum += each.count;
      }
    }
    return sum;
  }
  static std::vector<std::string> Names(const std::vector<Order>& orders) {
    std::vector<std::string> names;
    for (const Order& order : orders) {
      names.push_back((order.step == Step::kUndo ? "undo " : "") +
                      order.action.name);
    }
    return names;
  }
  using Words = std::vector<std::string>;

  std::optional<Engine> engine_;
  std::vector<Event> events_;
};

TEST_F(EngineTest, DoesWhatTheLevelAsksFor) {
  Start(Medium("trim, mark"));
  EXPECT_EQ(Names(Look(0s, 0.5)), Words{});
  const auto orders = Look(1s, 0.83);
  EXPECT_EQ(Names(orders), (Words{"trim", "mark"}));
  EXPECT_EQ(orders[0].level, Level::kMedium);
  EXPECT_EQ(orders[0].target.key.pid, 1U);
  EXPECT_EQ(orders[0].why, "usage 83.0% (from 80.0%)");
  EXPECT_EQ(Count("notify", Result::kDone), 1U);
  ASSERT_FALSE(events_.empty());
  EXPECT_EQ(events_[0].text,
            "db (pid 1): pressure medium, was none: usage 83.0% (from 80.0%); "
            "uses 849.9MiB of 1.0GiB");
}

TEST_F(EngineTest, APurposeThatStandsAtTwoLevelsIsServedOnce) {
  Start(Medium("trim, mark"));
  EXPECT_EQ(Names(Look(0s, 0.95)), (Words{"mark", "trim"}));
}

TEST_F(EngineTest, ComesAgainAfterItsCoolDown) {
  Start(Medium("trim"));
  auto orders = Look(0s, 0.85);
  ASSERT_EQ(Names(orders), Words{"trim"});
  Finish(1s, orders[0]);
  EXPECT_EQ(Names(Look(299s, 0.85)), Words{});
  orders = Look(300s, 0.85);
  EXPECT_EQ(Names(orders), Words{"trim"});
}

TEST_F(EngineTest, EscalationPassesOverTheCoolDownOfTheLowerLevel) {
  Start(Medium("trim"));
  Finish(0s, Look(0s, 0.85).at(0));
  const auto orders = Look(10s, 0.95);
  ASSERT_EQ(Names(orders), Words{"trim"});
  EXPECT_EQ(orders[0].action.level, Level::kHigh);
  Finish(11s, orders[0]);
  // And not the other way round, nor a second time.
  EXPECT_EQ(Names(Look(20s, 0.84)), Words{});
  EXPECT_EQ(Names(Look(30s, 0.95)), Words{});
}

TEST_F(EngineTest, OneSnapshotAnEpisode) {
  Start(Medium("{snapshot: {file: /x.hl, cool_down: 1s}}"));
  Finish(0s, Look(0s, 0.85).at(0));
  EXPECT_EQ(Names(Look(100s, 0.85)), Words{});
  auto orders = Look(101s, 0.95);
  EXPECT_EQ(Names(orders), Words{"trim"});
  Finish(101s, orders[0]);
  EXPECT_EQ(Names(Look(200s, 0.75)), Words{});
  EXPECT_EQ(Names(Look(201s, 0.5)), Words{});
  EXPECT_EQ(Names(Look(202s, 0.85)), Words{"snapshot"});
}

TEST_F(EngineTest, FilesHaveTheirSumOfBytes) {
  Start(Medium("{snapshot: {file: /x.hl, max_bytes: 1000, cool_down: 0s}}"));
  auto orders = Look(0s, 0.85);
  EXPECT_EQ(orders.at(0).bytes_left, 1000U);
  Finish(0s, orders[0], {.ending = Ending::kDone, .message = {}, .bytes = 600});
  Look(1s, 0.5);
  orders = Look(2s, 0.85);
  EXPECT_EQ(orders.at(0).bytes_left, 400U);
  Finish(2s, orders[0], {.ending = Ending::kDone, .message = {}, .bytes = 400});
  Look(3s, 0.5);
  EXPECT_EQ(Names(Look(4s, 0.85)), Words{});
  EXPECT_EQ(Names(Look(5s, 0.85)), Words{});
  EXPECT_EQ(Count("snapshot", Result::kCapped), 1U);
  EXPECT_EQ(Count("snapshot", Result::kDone), 2U);
}

TEST_F(EngineTest, NoMoreThanPerHour) {
  Start(Medium("{trim: {cool_down: 0s, per_hour: 3}}", ""));
  int begun = 0;
  for (int second = 0; second < 3600; second += 10) {
    for (const Order& order : Look(std::chrono::seconds(second), 0.85)) {
      Finish(std::chrono::seconds(second), order);
      ++begun;
    }
  }
  EXPECT_EQ(begun, 3);
  EXPECT_EQ(Count("trim", Result::kCapped), 1U);
  EXPECT_EQ(Names(Look(3600s, 0.85)), Words{"trim"});
}

TEST_F(EngineTest, AFailureIsTriedAgainLaterAndLater) {
  Start(Medium("{trim: {retries: 2}}"));
  const Outcome failed{.ending = Ending::kFailed, .message = "no"};
  Finish(0s, Look(0s, 0.85).at(0), failed);
  EXPECT_EQ(Names(Look(900ms, 0.85)), Words{});
  Finish(1s, Look(1s, 0.85).at(0), failed);
  EXPECT_EQ(Names(Look(2900ms, 0.85)), Words{});
  Finish(3s, Look(3s, 0.85).at(0), failed);
  EXPECT_EQ(Names(Look(200s, 0.85)), Words{});
  EXPECT_EQ(Count("trim", Result::kFailed), 1U);
}

TEST_F(EngineTest, WhatIsRefusedRestsForTheEpisode) {
  Start(Medium("{trim: {cool_down: 0s}}", ""));
  Finish(0s, Look(0s, 0.85).at(0), {.ending = Ending::kRefused, .message = {}});
  EXPECT_EQ(Names(Look(1000s, 0.85)), Words{});
  EXPECT_EQ(Count("trim", Result::kRefused), 1U);
  Look(1001s, 0.5);
  EXPECT_EQ(Names(Look(1002s, 0.85)), Words{"trim"});
}

TEST_F(EngineTest, WhatWasChangedIsUndoneOnTheWayDown) {
  Start(Medium("oom_score", "memory_high"));
  auto orders = Look(0s, 0.95);
  ASSERT_EQ(Names(orders), (Words{"oom_score", "memory_high"}));
  Finish(1s, orders[0], {.ending = Ending::kDone, .message = {}, .token = "7"});
  Finish(1s, orders[1], {.ending = Ending::kDone, .message = {}, .token = "9"});
  orders = Look(2s, 0.84);
  ASSERT_EQ(Names(orders), Words{"undo memory_high"});
  EXPECT_EQ(orders[0].token, "9");
  EXPECT_EQ(orders[0].level, Level::kMedium);
  Finish(3s, orders[0]);
  orders = Look(4s, 0.5);
  ASSERT_EQ(Names(orders), Words{"undo oom_score"});
  // A failure does not end it.
  Finish(5s, orders[0], {.ending = Ending::kFailed, .message = "busy"});
  EXPECT_EQ(Names(Look(5900ms, 0.5)), Words{});
  orders = Look(6s, 0.5);
  ASSERT_EQ(Names(orders), Words{"undo oom_score"});
  EXPECT_EQ(orders[0].token, "7");
  Finish(6s, orders[0]);
  EXPECT_EQ(Names(Look(100s, 0.5)), Words{});
  EXPECT_EQ(Count("oom_score", Result::kUndone), 1U);
}

TEST_F(EngineTest, AnActionThatEndsAfterItsLevelIsUndone) {
  Start(Medium("oom_score"));
  const auto orders = Look(0s, 0.85);
  EXPECT_EQ(Names(Look(1s, 0.5)), Words{});
  Finish(2s, orders.at(0));
  EXPECT_EQ(Names(Look(3s, 0.5)), Words{"undo oom_score"});
}

TEST_F(EngineTest, ACgroupIsGivenBackAfterItsProgramHasEnded) {
  Start(Medium("memory_high, callbacks"));
  for (const Order& order : Look(0s, 0.85)) {
    Finish(0s, order, {.ending = Ending::kDone, .message = {}, .token = "t"});
  }
  auto orders = Look(1s, std::vector<TargetReading>{});
  ASSERT_EQ(Names(orders), Words{"undo memory_high"});
  EXPECT_EQ(orders[0].token, "t");
  Finish(1s, orders[0], {.ending = Ending::kFailed, .message = {}});
  EXPECT_EQ(Names(Look(1500ms, std::vector<TargetReading>{})), Words{});
  orders = Look(2s, std::vector<TargetReading>{});
  ASSERT_EQ(Names(orders), Words{"undo memory_high"});
  Finish(2s, orders[0]);
  EXPECT_EQ(Names(Look(100s, std::vector<TargetReading>{})), Words{});
  EXPECT_EQ(Count("memory_high", Result::kUndone), 1U);
}

TEST_F(EngineTest, AProgramThatBecomesAnotherIsAnother) {
  Start(
      RulesFrom("rules: [{match: {process: db}, levels: {medium: {usage: "
                "80%, dwell: 0s, do: [oom_score, callbacks, trim]}}}, "
                "{levels: {medium: {usage: 80%, dwell: 0s, do: [mark]}}}]"));
  auto orders = Look(0s, 0.85);
  ASSERT_EQ(orders.size(), 3U);
  Finish(0s, orders[0], {.ending = Ending::kDone, .message = {}, .token = "7"});
  const Order trim = orders[2];
  orders = Look(1s, std::vector{Of(1, Usage(0.85), "other")});
  // The score outlives the exec; what the ledger of before was told does not.
  EXPECT_EQ(Names(orders), (Words{"mark", "undo oom_score"}));
  // An end that comes now is none of the new program's.
  Finish(2s, trim);
  EXPECT_EQ(Count("trim", Result::kEnded), 1U);
  Finish(2s, orders[0]);
  EXPECT_EQ(Count("mark", Result::kDone), 1U);
}

TEST_F(EngineTest, AtTheEndEverythingIsUndone) {
  Start(Medium("oom_score, {exec: {command: [/a], undo: [/b]}}"));
  for (const Order& order : Look(0s, 0.85)) Finish(0s, order);
  const Engine::Turn turn = engine_->UndoAll(1s);
  EXPECT_EQ(Names(turn.orders), (Words{"undo oom_score", "undo exec:a"}));
  EXPECT_EQ(turn.orders[0].level, Level::kNone);
  EXPECT_TRUE(engine_->UndoAll(2s).orders.empty());
}

TEST_F(EngineTest, AnOrderThatNobodyAnswersIsGivenUpAndItsLateEndIsHeard) {
  Start(Medium("oom_score"));
  const auto orders = Look(0s, 0.85);
  Look(34s, 0.85);
  EXPECT_EQ(Count("oom_score", Result::kTimedOut), 0U);
  Look(36s, 0.85);
  EXPECT_EQ(Count("oom_score", Result::kTimedOut), 1U);
  EXPECT_EQ(Names(Look(1000s, 0.5)), Words{});
  EXPECT_EQ(Names(Look(1001s, 0.85)), Words{});
  Finish(1002s, orders.at(0));
  EXPECT_EQ(Names(Look(1003s, 0.5)), Words{"undo oom_score"});
}

TEST_F(EngineTest, OnlySoManyAtOnce) {
  Start(Medium("trim"), {.dry_run = false, .max_running = 2});
  std::vector<TargetReading> readings;
  for (std::uint32_t pid = 1; pid <= 5; ++pid) {
    readings.push_back(Of(pid, Usage(0.85)));
  }
  const auto first = Look(0s, readings);
  EXPECT_EQ(first.size(), 2U);
  EXPECT_EQ(Look(1s, readings).size(), 0U);
  for (const Order& order : first) Finish(2s, order);
  EXPECT_EQ(Look(3s, readings).size(), 2U);
}

TEST_F(EngineTest, WhetherMemoryWasReducedIsSeenAMinuteLater) {
  Start(Medium("trim"));
  Finish(1s, Look(0s, 0.85).at(0));
  Look(60s, 0.5);
  EXPECT_EQ(Count("trim", Result::kReduced), 0U);
  Look(61s, 0.5);
  EXPECT_EQ(Count("trim", Result::kReduced), 1U);
  const auto view = engine_->View();
  ASSERT_EQ(view->reduced.size(), 1U);
  EXPECT_NEAR(static_cast<double>(view->reduced[0].bytes), 0.35 * (1 << 30),
              16);
  Finish(600s, Look(600s, 0.85).at(0));
  Look(661s, 0.84);
  EXPECT_EQ(Count("trim", Result::kNotReduced), 1U);
  Finish(1200s, Look(1200s, 0.85).at(0));
  Look(1201s, std::vector<TargetReading>{});
  EXPECT_EQ(Count("trim", Result::kEnded), 1U);
}

TEST_F(EngineTest, ADryRunOrdersNothingAndTellsAll) {
  Start(Medium("trim, oom_score"), {.dry_run = true});
  EXPECT_EQ(Names(Look(0s, 0.85)), Words{});
  EXPECT_EQ(Names(Look(1s, 0.5)), Words{});
  EXPECT_TRUE(engine_->UndoAll(2s).orders.empty());
  EXPECT_EQ(Count("trim", Result::kDryRun), 1U);
  const auto undone =
      std::ranges::find(events_, EventKind::kUndone, &Event::kind);
  ASSERT_NE(undone, events_.end());
  EXPECT_EQ(undone->text, "db (pid 1): dry run: would undo oom_score");
}

TEST_F(EngineTest, AnAlertRaisesAndItsEndOnlyLowers) {
  Start(Medium("trim"));
  Look(0s, 0.5);
  // Nobody said anything before.
  EXPECT_TRUE(engine_->TakeAlert({"f", "db", 1, Level::kNone}, 0s));
  EXPECT_EQ(Names(Look(1s, 0.5)), Words{});
  EXPECT_TRUE(engine_->TakeAlert({"f", "db", 1, Level::kMedium}, 1s));
  EXPECT_TRUE(engine_->TakeAlert({"g", "db", 2, Level::kHigh}, 1s));
  const auto orders = Look(2s, 0.5);
  ASSERT_EQ(Names(orders), Words{"trim"});
  EXPECT_EQ(orders[0].level, Level::kMedium);
  Finish(3s, orders[0]);
  EXPECT_TRUE(engine_->TakeAlert({"f", "db", 1, Level::kNone}, 4s));
  Look(5s, 0.5);
  EXPECT_EQ(engine_->View()->levels.at(0).level, Level::kNone);
}

TEST_F(EngineTest, AnAlertThatNobodyEndsExpires) {
  Start(Medium("trim"));
  EXPECT_TRUE(engine_->TakeAlert({"f", "db", {}, Level::kMedium}, 0s));
  Look(1s, 0.5);
  EXPECT_EQ(engine_->View()->levels.at(0).level, Level::kMedium);
  Look(5h, 0.5);
  EXPECT_EQ(engine_->View()->levels.at(0).level, Level::kNone);
}

TEST_F(EngineTest, ProgramsThatNoRuleFitsAreLeftAlone) {
  Start(RulesFrom("rules: [{match: {process: web}}]"));
  EXPECT_TRUE(Look(0s, 0.99).empty());
  EXPECT_TRUE(engine_->View()->levels.empty());
}

}  // namespace
}  // namespace heapledger::collector::response
