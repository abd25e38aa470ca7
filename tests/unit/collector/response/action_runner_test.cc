// SPDX-License-Identifier: Apache-2.0
// Orders on a real process, which is a child of the test.
#include "collector/response/action_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

#include "collector/system/process_memory.h"

namespace heapledger::collector::response {
namespace {

using namespace std::chrono_literals;
using ::testing::_;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Return;

class FakeControl : public TargetControl {
 public:
  MOCK_METHOD(absl::StatusOr<WrittenFile>, Snapshot,
              (const Target&, const std::string&, std::uint64_t), (override));
  MOCK_METHOD(absl::StatusOr<std::string>, Mark, (const Target&, Level),
              (override));
  MOCK_METHOD(absl::StatusOr<std::string>, Trim, (const Target&, Duration),
              (override));
  MOCK_METHOD(absl::StatusOr<std::string>, TellPressure, (const Target&, Level),
              (override));
};

extern "C" void Ignore(int) {}

class ActionRunnerTest : public ::testing::Test {
 protected:
  // A child that handles USR1 and, where asked to, ignores TERM.
  void Start(bool stubborn = false) {
    child_ = ::fork();
    if (child_ == 0) {
      ::signal(SIGUSR1, Ignore);
      if (stubborn) ::signal(SIGTERM, SIG_IGN);
      for (;;) ::pause();
    }
    order_.target.process = "child";
    // Its handlers are there once it waits.
    for (int i = 0; i < 1000 && Stat().state != 'S'; ++i) ::usleep(1000);
    order_.target.key = {static_cast<std::uint32_t>(child_),
                         Stat().start_time_ticks};
  }
  void TearDown() override {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  StatFields Stat() { return ParseStat(File("stat")).value_or(StatFields()); }
  std::string File(const std::string& name) {
    std::ifstream file("/proc/" + std::to_string(child_) + "/" + name);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  Outcome Run(ActionKind kind, Step step = Step::kDo) {
    order_.action.kind = std::move(kind);
    order_.step = step;
    return ActionRunner(&control_).Run(order_);
  }

  FakeControl control_;
  Order order_;
  pid_t child_ = 0;
};

TEST_F(ActionRunnerTest, ASignalWithoutAHandlerIsNotSent) {
  Start();
  EXPECT_EQ(Run(SignalAction{SIGUSR1, 0}).ending, Ending::kDone);
  const Outcome refused = Run(SignalAction{SIGUSR2, 0});
  EXPECT_EQ(refused.ending, Ending::kRefused);
  EXPECT_THAT(refused.message, HasSubstr("no handler for SIGUSR2"));
  EXPECT_EQ(Run(SignalAction{SIGWINCH, 0}).ending, Ending::kDone);
  EXPECT_EQ(::kill(child_, 0), 0);
  EXPECT_EQ(Stat().state, 'S');
}

TEST_F(ActionRunnerTest, TheOomScoreIsRaisedAndRestored) {
  Start();
  std::string before = File("oom_score_adj");
  before.pop_back();
  const Outcome done = Run(OomScoreAction{700});
  ASSERT_EQ(done.ending, Ending::kDone) << done.message;
  EXPECT_TRUE(done.changed);
  EXPECT_EQ(done.token, before);
  EXPECT_EQ(File("oom_score_adj"), "700\n");
  EXPECT_EQ(Run(OomScoreAction{600}).ending, Ending::kRefused);
  order_.token = done.token;
  EXPECT_EQ(Run(OomScoreAction{700}, Step::kUndo).ending, Ending::kDone);
  EXPECT_EQ(File("oom_score_adj"), before + "\n");
}

TEST_F(ActionRunnerTest, StopAsksFirst) {
  Start();
  const Outcome done = Run(StopAction{.grace = 10s, .kill = false});
  EXPECT_EQ(done.ending, Ending::kDone);
  EXPECT_EQ(done.message, "it ended when asked to");
  int status = 0;
  ASSERT_EQ(::waitpid(child_, &status, 0), child_);
  child_ = 0;
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
  EXPECT_EQ(Run(StopAction{}).ending, Ending::kRefused);
}

TEST_F(ActionRunnerTest, StopKillsOnlyWhereItMay) {
  Start(/*stubborn=*/true);
  EXPECT_EQ(Run(StopAction{.grace = 100ms, .kill = false}).ending,
            Ending::kTimedOut);
  EXPECT_EQ(::kill(child_, 0), 0);
  const Outcome done = Run(StopAction{.grace = 100ms, .kill = true});
  EXPECT_EQ(done.ending, Ending::kDone);
  int status = 0;
  ASSERT_EQ(::waitpid(child_, &status, 0), child_);
  child_ = 0;
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

TEST_F(ActionRunnerTest, AHookIsToldTheFacts) {
  Start();
  order_.rule = "r";
  order_.level = Level::kHigh;
  order_.why = "usage 90%\nEVIL=1";
  order_.reading.used_bytes = 12;
  const Outcome done = Run(
      ExecAction{.command = {"/bin/sh", "-c",
                             "echo $HEAPLEDGER_PROCESS $HEAPLEDGER_LEVEL "
                             "$HEAPLEDGER_USED_BYTES $HEAPLEDGER_EVENT $EVIL"},
                 .undo = {"/bin/false"}});
  EXPECT_EQ(done.ending, Ending::kDone);
  EXPECT_TRUE(done.changed);
  EXPECT_EQ(done.message, "it ended well; it said: child high 12 do");
  const Outcome undone =
      Run(ExecAction{.command = {}, .undo = {"/bin/false"}}, Step::kUndo);
  EXPECT_EQ(undone.ending, Ending::kFailed);
  EXPECT_THAT(HookEnvironment(order_), Contains("HEAPLEDGER_LIVE_BYTES="));
}

TEST_F(ActionRunnerTest, AHookThatHangsIsTimedOut) {
  Start();
  order_.action.timeout = 100ms;
  EXPECT_EQ(
      Run(ExecAction{.command = {"/bin/sleep", "600"}, .undo = {}}).ending,
      Ending::kTimedOut);
}

TEST_F(ActionRunnerTest, WhatTheLedgerHasIsAskedThere) {
  Start();
  EXPECT_CALL(control_, Snapshot(_, "/x.hl", 77))
      .WillOnce(Return(TargetControl::WrittenFile{"/x.hl", 5}));
  order_.bytes_left = 77;
  EXPECT_EQ(Run(SnapshotAction{"/x.hl"}).bytes, 5U);
  EXPECT_CALL(control_, Trim(_, _))
      .WillOnce(Return(absl::FailedPreconditionError("no shim")))
      .WillOnce(Return(absl::UnavailableError("busy")));
  EXPECT_EQ(Run(TrimAction{}).ending, Ending::kRefused);
  EXPECT_EQ(Run(TrimAction{}).ending, Ending::kFailed);
  order_.level = Level::kMedium;
  EXPECT_CALL(control_, TellPressure(_, Level::kMedium))
      .WillOnce(Return(std::string("told")));
  const Outcome told = Run(CallbacksAction{});
  EXPECT_TRUE(told.changed);
  EXPECT_EQ(told.message, "told");
}

}  // namespace
}  // namespace heapledger::collector::response
