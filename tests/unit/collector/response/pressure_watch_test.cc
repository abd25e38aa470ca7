// SPDX-License-Identifier: Apache-2.0
#include "collector/response/pressure_watch.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "collector/response/increase.h"
#include "tests/support/fake_files.h"

namespace heapledger::collector::response {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

TEST(IncreaseTest, LooksBackOverItsWindow) {
  Increase increase(1s);
  EXPECT_EQ(increase.amount(), std::nullopt);
  increase.Add(0s, 100);
  EXPECT_EQ(increase.amount(), std::nullopt);
  increase.Add(200ms, 110);
  EXPECT_EQ(increase.amount(), 10);
  EXPECT_EQ(increase.rate(), std::nullopt);
  increase.Add(500ms, 600);
  EXPECT_EQ(increase.rate(), 500 / 500e6);
  increase.Add(1s, 600);
  increase.Add(2s, 600);
  EXPECT_EQ(increase.amount(), 0);
  // Another counter.
  increase.Add(3s, 5);
  EXPECT_EQ(increase.amount(), std::nullopt);
}

TEST(PressureWatchTest, ATriggerFallsBackToTheWiderWindow) {
  heapledger::testing::FakeFiles files;
  files.Write("memory.pressure", "");
  const auto opened = OpenStallTrigger(files.root() + "/memory.pressure", 0.1);
  ASSERT_TRUE(opened.ok());
  std::ifstream file(files.root() + "/memory.pressure");
  std::string text;
  std::getline(file, text, '\0');
  EXPECT_EQ(text, "some 100000 1000000");
  EXPECT_FALSE(OpenStallTrigger(files.root() + "/none", 0.1).ok());
}

// The kernel's own file, where there is one.
TEST(PressureWatchTest, TheHostsTriggerCanBeHad) {
  if (::access("/proc/pressure/memory", W_OK) != 0) {
    GTEST_SKIP() << "no pressure stall information here";
  }
  const auto trigger = OpenStallTrigger("/proc/pressure/memory", 0.1);
  EXPECT_TRUE(trigger.ok()) << trigger.status();
}

TEST(PressureWatchTest, WakesAtOnce) {
  PressureWatch watch(0.1);
  const auto begin = Clock::now();
  std::thread waker([&watch] {
    std::this_thread::sleep_for(20ms);
    watch.Wake();
  });
  watch.Wait(20s);
  waker.join();
  EXPECT_LT(Clock::now() - begin, 10s);
}

// A real group of v1, whose limit is reached by page cache and anonymous memory
// of a child.
TEST(PressureWatchTest, AGroupsLevelIsHeardOf) {
  const std::string directory =
      "/sys/fs/cgroup/memory/heapledger-watch-" + std::to_string(::getpid());
  std::error_code refused;
  if (!std::filesystem::create_directory(directory, refused)) {
    GTEST_SKIP() << "no memory cgroup can be made";
  }
  CgroupPlace place;
  place.version = CgroupVersion::kV1;
  place.name = "/x";
  place.chain = {directory, "/sys/fs/cgroup/memory"};
  {
    PressureWatch watch(0.1);
    const std::size_t before = watch.sources();
    watch.Follow({place});
    if (watch.sources() == before) {
      std::filesystem::remove(directory);
      GTEST_SKIP() << "this kernel has no memory.pressure_level";
    }
    EXPECT_EQ(watch.sources(), before + 3);
    EXPECT_EQ(watch.Reclaim(place), std::nullopt);
    std::ofstream(directory + "/memory.limit_in_bytes") << (16 << 20);
    const pid_t child = ::fork();
    if (child == 0) {
      std::ofstream(directory + "/cgroup.procs") << ::getpid();
      // More than there is: it is reclaimed from, and killed in the end.
      for (;;) {
        auto* const page = new char[1 << 20];
        for (int i = 0; i < (1 << 20); i += 4096) page[i] = 1;
      }
    }
    const auto deadline = Clock::now() + 20s;
    while (!watch.Reclaim(place) && Clock::now() < deadline) watch.Wait(100ms);
    EXPECT_TRUE(watch.Reclaim(place).has_value());
    int status = 0;
    ::waitpid(child, &status, 0);
    watch.Follow({});
    EXPECT_EQ(watch.sources(), before);
  }
  for (int i = 0; i < 200 && !std::filesystem::remove(directory, refused);
       ++i) {
    std::this_thread::sleep_for(20ms);
  }
}

}  // namespace
}  // namespace heapledger::collector::response
