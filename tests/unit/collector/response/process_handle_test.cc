// SPDX-License-Identifier: Apache-2.0
#include "collector/response/process_handle.h"

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

TargetKey KeyOf(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::stringstream text;
  text << file.rdbuf();
  const auto stat = ParseStat(text.str());
  return {static_cast<std::uint32_t>(pid), stat ? stat->start_time_ticks : 0};
}

class ProcessHandleTest : public ::testing::Test {
 protected:
  void SetUp() override {
    child_ = ::fork();
    if (child_ == 0) {
      for (;;) ::pause();
    }
    ASSERT_GT(child_, 0);
  }
  void TearDown() override { End(); }
  void End() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    child_ = 0;
  }
  pid_t child_ = 0;
};

TEST_F(ProcessHandleTest, ReachesTheProcess) {
  const auto process = ProcessHandle::Open(KeyOf(child_));
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_FALSE(process->WaitForEnd(0ms));
  const auto comm = process->Read("comm");
  ASSERT_TRUE(comm.ok());
  EXPECT_FALSE(comm->empty());
  EXPECT_TRUE(process->Write("oom_score_adj", "321").ok());
  EXPECT_EQ(process->Read("oom_score_adj").value_or(""), "321\n");
  EXPECT_TRUE(process->Signal(SIGTERM).ok());
  EXPECT_TRUE(process->WaitForEnd(10s));
}

TEST_F(ProcessHandleTest, AnotherProcessOfThatPidIsNotTaken) {
  TargetKey key = KeyOf(child_);
  ++key.start_time_ticks;
  EXPECT_TRUE(absl::IsNotFound(ProcessHandle::Open(key).status()));
}

TEST_F(ProcessHandleTest, OnceItHasEndedNothingIsReached) {
  const TargetKey key = KeyOf(child_);
  const auto process = ProcessHandle::Open(key);
  ASSERT_TRUE(process.ok());
  End();
  EXPECT_TRUE(absl::IsNotFound(process->Signal(SIGTERM)));
  EXPECT_FALSE(process->Write("oom_score_adj", "1").ok());
  EXPECT_FALSE(process->Read("comm").ok());
  EXPECT_TRUE(absl::IsNotFound(ProcessHandle::Open(key).status()));
}

}  // namespace
}  // namespace heapledger::collector::response
