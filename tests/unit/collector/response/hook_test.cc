// SPDX-License-Identifier: Apache-2.0
// Real commands: a shell that behaves and some that do not.
#include "collector/response/hook.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <string>

#include "tests/support/temp_directory.h"

namespace heapledger::collector::response {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

HookRequest Shell(const std::string& script, Duration timeout = 20s) {
  return {.command = {"/bin/sh", "-c", script},
          .environment = {"PATH=/usr/bin:/bin", "NAME=value"},
          .timeout = timeout,
          .max_output = 1000};
}

TEST(HookTest, ReturnsStatusAndOutput) {
  const auto end = RunHook(Shell("echo $NAME; echo bad >&2; exit 3"));
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(end->status, 3);
  EXPECT_EQ(end->output, "value\nbad\n");
  EXPECT_FALSE(end->timed_out);
  EXPECT_FALSE(end->cut);
}

TEST(HookTest, HasNothingOfOurs) {
  ASSERT_EQ(::setenv("SECRET", "s", 1), 0);
  const auto end = RunHook(Shell("env | grep SECRET; ls /proc/self/fd; pwd"));
  ASSERT_TRUE(end.ok());
  // 3 is the directory that ls reads.
  EXPECT_EQ(end->output, "0\n1\n2\n3\n/\n");
}

TEST(HookTest, OneThatHangsIsKilledWithAllThatItStarted) {
  const heapledger::testing::TempDirectory directory;
  const std::string pid_file = directory.Path("pid");
  const auto begin = Clock::now();
  const auto end = RunHook(Shell(
      "trap '' TERM; sleep 600 & echo $! > " + pid_file + "; wait; sleep 600",
      300ms));
  ASSERT_TRUE(end.ok());
  EXPECT_TRUE(end->timed_out);
  EXPECT_EQ(end->status, 128 + SIGKILL);
  EXPECT_LT(Clock::now() - begin, 10s);
  pid_t left = 0;
  std::ifstream(pid_file) >> left;
  ASSERT_GT(left, 0);
  for (int i = 0; i < 200 && ::kill(left, 0) == 0; ++i) {
    std::ifstream stat("/proc/" + std::to_string(left) + "/stat");
    std::string pid, name, state;
    stat >> pid >> name >> state;
    if (state == "Z") return;  // Dead; its parent is to hear of it.
    ::usleep(10'000);
  }
  EXPECT_EQ(::kill(left, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

TEST(HookTest, GigabytesOfOutputAreReadAndCut) {
  const auto end =
      RunHook(Shell("head -c 200000000 /dev/zero | tr '\\0' x", 60s));
  ASSERT_TRUE(end.ok());
  EXPECT_EQ(end->status, 0);
  EXPECT_EQ(end->output, std::string(1000, 'x'));
  EXPECT_TRUE(end->cut);
}

TEST(HookTest, WhatItLeavesBehindHoldsNobodyUp) {
  const auto begin = Clock::now();
  const auto end = RunHook(Shell("sleep 600 & echo done"));
  ASSERT_TRUE(end.ok());
  EXPECT_EQ(end->output, "done\n");
  EXPECT_LT(Clock::now() - begin, 10s);
}

TEST(HookTest, ACommandThatOthersMayChangeIsRefused) {
  const heapledger::testing::TempDirectory directory;
  const std::string path = directory.Path("hook");
  std::ofstream(path) << "#!/bin/sh\n";
  HookRequest request = Shell("");
  request.command = {path};
  EXPECT_NE(RunHook(request).status().message().find("it is no program"),
            std::string::npos);
  ASSERT_EQ(::chmod(path.c_str(), 0757), 0);
  EXPECT_NE(RunHook(request).status().message().find("somebody else may"),
            std::string::npos);
  ASSERT_EQ(::chmod(path.c_str(), 0755), 0);
  EXPECT_TRUE(RunHook(request).ok());
  request.command = {directory.Path("none")};
  EXPECT_TRUE(absl::IsNotFound(RunHook(request).status()));
}

}  // namespace
}  // namespace heapledger::collector::response
