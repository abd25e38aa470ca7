// SPDX-License-Identifier: Apache-2.0
#include "collector/shm/process_identity.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temp_directory.h"

namespace heapledger::collector {
namespace {

class ProcessIdentityTest : public ::testing::Test {
 protected:
  ProcessIdentityTest() {
    Write("sys/kernel/random/boot_id", "boot-1\n");
    Link("self/ns/pid", "pid:[100]");
    identity_.pid = 7;
    identity_.start_time_ticks = 1000;
    identity_.boot_id = "boot-1";
    identity_.pid_namespace = 100;
  }

  void Write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = temp_.Path(name);
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  void Link(const std::string& name, const std::string& target) {
    const std::filesystem::path path = temp_.Path(name);
    std::filesystem::create_directories(path.parent_path());
    std::filesystem::remove(path);
    std::filesystem::create_symlink(target, path);
  }
  void Process(int pid, char state, int threads, int start) {
    Write(std::to_string(pid) + "/stat",
          std::to_string(pid) + " (x) S) " + state +
              " 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 " + std::to_string(threads) +
              " 0 " + std::to_string(start) + " 0 0\n");
  }
  Liveness Look() { return LivenessOf(temp_.path(), identity_); }

  testing::TempDirectory temp_;
  LedgerIdentity identity_;
};

TEST_F(ProcessIdentityTest, ReadsItsOwnProcess) {
  const auto stat =
      ReadProcessStat("/proc", static_cast<std::uint32_t>(getpid()));
  ASSERT_TRUE(stat);
  EXPECT_GT(stat->start_time_ticks, 0U);
  EXPECT_EQ(stat->run_state, 'R');
}

TEST_F(ProcessIdentityTest, IsAliveWithItsPidAndStartTimeOnly) {
  EXPECT_EQ(Look(), Liveness::kDead);
  Process(7, 'S', 1, 1000);
  EXPECT_EQ(Look(), Liveness::kAlive);
  Process(7, 'S', 1, 1001);
  EXPECT_EQ(Look(), Liveness::kDead) << "the pid was reused";
}

TEST_F(ProcessIdentityTest, IsDeadAfterAReboot) {
  Process(7, 'S', 1, 1000);
  Write("sys/kernel/random/boot_id", "boot-2\n");
  EXPECT_EQ(Look(), Liveness::kDead);
}

TEST_F(ProcessIdentityTest, TellsAZombieFromAMainThreadThatLeft) {
  Process(7, 'Z', 1, 1000);
  EXPECT_EQ(Look(), Liveness::kDead);
  Process(7, 'Z', 3, 1000);
  EXPECT_EQ(Look(), Liveness::kAlive);
}

TEST_F(ProcessIdentityTest, LooksThroughAnotherPidNamespace) {
  identity_.pid_namespace = 200;
  identity_.pid = 1;
  EXPECT_EQ(Look(), Liveness::kUnknown);
  Process(99, 'S', 1, 1000);
  Write("99/status", "Name:\tx\nNSpid:\t99\t1\n");
  Link("99/ns/pid", "pid:[200]");
  EXPECT_EQ(Look(), Liveness::kAlive);
  Link("99/ns/pid", "pid:[201]");
  EXPECT_EQ(Look(), Liveness::kUnknown);
  Link("self/ns/pid", "pid:[4026531836]");
  EXPECT_EQ(Look(), Liveness::kDead) << "the first namespace sees them all";
}

TEST_F(ProcessIdentityTest, SeesThatAnImageWithoutTheShimTookOver) {
  Process(7, 'S', 1, 1000);
  identity_.exe = "/usr/bin/orders";
  Link("7/exe", "/usr/bin/orders (deleted)");
  EXPECT_EQ(Look(), Liveness::kAlive) << "only its file was replaced";
  Link("7/exe", "/usr/bin/sleep");
  Write("7/maps", "1000-2000 r-xp 0 00:00 1 /opt/lib/libheapledger.so\n");
  EXPECT_EQ(Look(), Liveness::kAlive) << "the same file by another path";
  Write("7/maps", "1000-2000 r-xp 0 00:00 1 /usr/bin/sleep\n");
  EXPECT_EQ(Look(), Liveness::kOtherImage);
}

TEST(JudgeStateTest, CallsOnlyADeadProcessThatClaimsToLiveKilled) {
  EXPECT_EQ(JudgeState(ProcessState::kLive, Liveness::kDead),
            ProcessState::kKilled);
  EXPECT_EQ(JudgeState(ProcessState::kStarting, Liveness::kDead),
            ProcessState::kKilled);
  EXPECT_EQ(JudgeState(ProcessState::kLive, Liveness::kOtherImage),
            ProcessState::kReplaced);
  EXPECT_EQ(JudgeState(ProcessState::kLive, Liveness::kUnknown),
            ProcessState::kLive);
  EXPECT_EQ(JudgeState(ProcessState::kExited, Liveness::kDead),
            ProcessState::kExited);
  EXPECT_EQ(JudgeState(ProcessState::kOff, Liveness::kDead),
            ProcessState::kOff);
}

}  // namespace
}  // namespace heapledger::collector
