// SPDX-License-Identifier: Apache-2.0
// The ends of real children, as the kernel of this machine tells them.
#include "collector/obituary/exit_watch.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "collector/obituary/exit_events.h"
#include "collector/system/process_memory.h"
#include "collector/system/read_file.h"

namespace heapledger::collector::obituary {
namespace {

std::uint64_t RealtimeNs() {
  timespec now = {};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

class Child {
 public:
  Child() : begun_ns_(RealtimeNs()), pid_(fork()) {
    if (pid_ == 0) {
      for (;;) pause();
    }
  }
  ~Child() { End(SIGKILL); }

  [[nodiscard]] std::uint32_t pid() const {
    return static_cast<std::uint32_t>(pid_);
  }
  [[nodiscard]] std::uint64_t begun_ns() const { return begun_ns_; }
  [[nodiscard]] std::uint64_t start() const {
    const auto stat = ParseStat(
        ReadSmallFile("/proc/" + std::to_string(pid_) + "/stat").value_or(""));
    return stat ? stat->start_time_ticks : 0;
  }
  void Kill(int signal) const {
    kill(pid_, signal);
    siginfo_t info;
    waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
  }
  void End(int signal) {
    if (ended_) return;
    kill(pid_, signal);
    waitpid(pid_, nullptr, 0);
    ended_ = true;
  }

 private:
  const std::uint64_t begun_ns_;
  const pid_t pid_;
  bool ended_ = false;
};

TEST(ExitWatchTest, AZombieTellsHowItEnded) {
  Child child;
  const std::uint64_t start = child.start();
  ExitWatch watch;
  watch.Add(child.pid(), start);
  watch.Poll();
  EXPECT_FALSE(watch.Find(child.pid(), start));
  child.Kill(SIGTERM);
  watch.Poll();
  const auto seen = watch.Find(child.pid(), start);
  ASSERT_TRUE(seen);
  ASSERT_TRUE(seen->wait);
  EXPECT_EQ(WTERMSIG(seen->wait->status), SIGTERM);
  EXPECT_GE(seen->noticed_ns, child.begun_ns());
}

TEST(ExitWatchTest, AProcessThatIsWaitedForIsSeenToHaveEnded) {
  Child child;
  const std::uint64_t start = child.start();
  ExitWatch watch;
  watch.Add(child.pid(), start);
  child.End(SIGSEGV);
  watch.Poll();
  const auto seen = watch.Find(child.pid(), start);
  ASSERT_TRUE(seen);
  // With which status only kernels since 6.15 say.
  if (seen->wait) {
    EXPECT_EQ(WTERMSIG(seen->wait->status), SIGSEGV);
  }
  watch.Remove(child.pid(), start);
  EXPECT_FALSE(watch.Find(child.pid(), start));
}

TEST(ExitWatchTest, AnotherProcessOfThePidIsNotWatched) {
  Child child;
  ExitWatch watch;
  watch.Add(child.pid(), child.start() + 1);
  std::vector<int> descriptors;
  watch.AppendDescriptors(descriptors);
  EXPECT_TRUE(descriptors.empty());
}

TEST(ExitEventsTest, TellsOfEveryEnd) {
  const auto events = ExitEvents::Listen();
  if (events == nullptr) GTEST_SKIP() << "the kernel does not tell us";
  Child child;
  child.End(SIGABRT);
  std::optional<SeenExit> seen;
  for (int i = 0; i < 100 && !seen; ++i) {
    events->Take();
    seen = events->Find(child.pid(), child.begun_ns());
    usleep(10'000);
  }
  ASSERT_TRUE(seen);
  EXPECT_EQ(WTERMSIG(seen->wait->status), SIGABRT);
  EXPECT_LT(seen->noticed_ns, RealtimeNs());
  // One of a time before is another's.
  EXPECT_FALSE(events->Find(child.pid(), RealtimeNs()));
}

}  // namespace
}  // namespace heapledger::collector::obituary
