// SPDX-License-Identifier: Apache-2.0
// A made-up host, looked at over time.
#include "collector/system/system_sampler.h"

#include <gtest/gtest.h>

#include "tests/support/fake_files.h"

namespace heapledger::collector {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint64_t kKiB = 1024, kMiB = 1 << 20;

class SystemSamplerTest : public ::testing::Test {
 protected:
  SystemSamplerTest() {
    options_.root = files_.root();
    files_.Write(
        "proc/meminfo",
        "MemTotal: 1048576 kB\nMemAvailable: 524288 kB\nBuffers: 1 kB\n"
        "Cached: 2 kB\nSwapTotal: 9 kB\nSwapFree: 4 kB\n"
        "CommitLimit: 5 kB\nCommitted_AS: 6 kB\n");
    files_.Write("proc/vmstat", "pswpin 3\npgmajfault 4\n");
    files_.Write("proc/pressure/memory", "some total=10\nfull total=5\n");
    files_.Write("proc/self/mountinfo",
                 "30 23 0:26 / /cg rw - cgroup2 cgroup2 rw\n");
  }

  void Process(int pid, int start, int anonymous_kib) {
    const std::string directory = "proc/" + std::to_string(pid);
    files_.Write(directory + "/stat",
                 std::to_string(pid) +
                     " (app) S 1 1 1 0 -1 0 11 0 22 0 0 0 0 0 20 0 1 0 " +
                     std::to_string(start) + " 0 0\n");
    files_.Write(directory + "/status",
                 "VmSize: 300 kB\nVmHWM: 90 kB\nVmRSS: 70 kB\nRssAnon: " +
                     std::to_string(anonymous_kib) +
                     " kB\nRssFile: 20 kB\nRssShmem: 0 kB\n");
    files_.Write(directory + "/cgroup", "0::/pod/box\n");
    files_.Write(directory + "/limits",
                 "Max address space         unlimited  unlimited  bytes\n");
    files_.Write(directory + "/smaps_rollup",
                 "Pss: 30 kB\nShared_Dirty: 0 kB\nPrivate_Clean: 1 kB\n"
                 "Private_Dirty: 25 kB\n");
    files_.Link(directory + "/fd/0", "/dev/null");
  }
  void Group(const std::string& name, const std::string& max,
             std::uint64_t current, int kills) {
    files_.Write("cg/" + name + "/memory.max", max + "\n");
    files_.Write("cg/" + name + "/memory.current",
                 std::to_string(current) + "\n");
    files_.Write("cg/" + name + "/memory.stat", "inactive_file 0\n");
    files_.Write("cg/" + name + "/memory.events",
                 "oom_kill " + std::to_string(kills) + "\n");
    files_.Write("cg/" + name + "/memory.pressure",
                 "some total=7\nfull total=6\n");
  }
  static SystemTarget Target(std::uint32_t pid, std::uint64_t start) {
    return {
        .pid = pid, .start_time_ticks = start, .process = "app", .heap = {}};
  }

  heapledger::testing::FakeFiles files_;
  SystemOptions options_;
  SystemSampler::Clock::time_point now_{seconds(10000)};
};

TEST_F(SystemSamplerTest, LooksAtHostProcessAndCgroup) {
  Process(42, 5, 50);
  Group("pod", "104857600", 90 * kMiB, 0);
  Group("pod/box", "max", 1 * kMiB, 0);
  SystemSampler sampler(options_, std::nullopt);
  const auto view = sampler.Sample({{Target(42, 5)}}, now_);
  EXPECT_GT(view->taken_realtime_ns, 0U);
  EXPECT_EQ(view->memory->available, 512 * kMiB);
  EXPECT_EQ(view->paging->swap_in_pages, 3U);
  EXPECT_EQ(view->pressure->some_us, 10U);
  ASSERT_EQ(view->targets.size(), 1U);
  const TargetSample& target = view->targets[0];
  EXPECT_EQ(target.process, "app");
  EXPECT_EQ(target.memory.resident(), 70 * kKiB);
  EXPECT_EQ(target.minor_faults, 11U);
  EXPECT_EQ(target.major_faults, 22U);
  EXPECT_EQ(target.descriptors, 1U);
  EXPECT_EQ(target.limit, 100 * kMiB) << "the parent's";
  EXPECT_EQ(target.headroom, 10 * kMiB);
  EXPECT_DOUBLE_EQ(*target.usage_ratio(), 0.9);
  EXPECT_EQ(
      target.pages,
      (PageTotals{.pss = 30 * kKiB, .uss = 26 * kKiB, .dirty = 25 * kKiB}));
  EXPECT_FALSE(target.parts) << "not under the shim";
  ASSERT_EQ(view->cgroups.size(), 1U);
  EXPECT_EQ(view->cgroups[0].name, "/pod/box");
  EXPECT_EQ(view->cgroups[0].memory->events[4], 0U);
  EXPECT_EQ(view->cgroups[0].pressure->full_us, 6U);
}

TEST_F(SystemSamplerTest, FallsBackOnTheHostWithoutALimit) {
  Process(42, 5, 50);
  SystemSampler sampler(options_, std::nullopt);
  auto view = sampler.Sample({{Target(42, 5)}}, now_);
  EXPECT_EQ(view->targets[0].limit, 1024 * kMiB);
  EXPECT_EQ(view->targets[0].headroom, 512 * kMiB);
  EXPECT_TRUE(view->cgroups.empty()) << "no accounts, no pressure";
  files_.Write("proc/42/limits",
               "Max address space         409600  unlimited  bytes\n");
  view = sampler.Sample({{Target(42, 5)}}, now_ + seconds(11));
  EXPECT_EQ(view->targets[0].limit, 400 * kKiB) << "RLIMIT_AS";
  EXPECT_EQ(view->targets[0].headroom, 100 * kKiB);
  files_.Remove("proc/meminfo");
  view = sampler.Sample({{Target(42, 5)}}, now_ + seconds(12));
  EXPECT_FALSE(view->memory);
  EXPECT_EQ(view->targets[0].limit, std::nullopt);
  EXPECT_EQ(view->targets[0].usage_ratio(), std::nullopt);
}

TEST_F(SystemSamplerTest, DropsWhatIsGoneAndWhatOnlyHasItsPid) {
  Process(42, 5, 50);
  files_.Write("proc/43/stat", "junk");
  SystemSampler sampler(options_, std::nullopt);
  EXPECT_TRUE(
      sampler.Sample({{Target(42, 6), Target(43, 1), Target(44, 1)}}, now_)
          ->targets.empty());
  files_.Write("proc/42/status", "Name: kernel thread\n");
  EXPECT_TRUE(sampler.Sample({{Target(42, 5)}}, now_)->targets.empty());
}

TEST_F(SystemSamplerTest, FollowsGrowthWithARobustSlope) {
  SystemSampler sampler(options_, std::nullopt);
  std::shared_ptr<const SystemView> view;
  for (int second = 0; second <= 300; second += 5) {
    // 2 KiB a second, and a burst that a mean would see.
    Process(42, 5, 1000 + 2 * second + (second == 150 ? 100000 : 0));
    view = sampler.Sample({{Target(42, 5)}}, now_ + seconds(second));
    if (second == 60) {
      EXPECT_FALSE(view->targets[0].growth_bytes_per_second);
    }
  }
  EXPECT_NEAR(*view->targets[0].growth_bytes_per_second, 2048, 1);
}

TEST_F(SystemSamplerTest, WalksPagesOnceAMinuteAndBelowASize) {
  Process(42, 5, 50);
  SystemSampler sampler(options_, std::nullopt);
  EXPECT_TRUE(sampler.Sample({{Target(42, 5)}}, now_)->targets[0].pages);
  files_.Write("proc/42/smaps_rollup",
               "Pss: 99 kB\nShared_Dirty: 0 kB\nPrivate_Clean: 1 kB\n"
               "Private_Dirty: 25 kB\n");
  const auto pss = [&](seconds later) {
    return sampler.Sample({{Target(42, 5)}}, now_ + later)
        ->targets[0]
        .pages->pss;
  };
  EXPECT_EQ(pss(seconds(59)), 30 * kKiB);
  EXPECT_EQ(pss(seconds(120)), 99 * kKiB);
  Process(42, 5, 3 << 20);
  EXPECT_FALSE(
      sampler.Sample({{Target(42, 5)}}, now_ + seconds(300))->targets[0].pages)
      << "3 GiB";
}

TEST_F(SystemSamplerTest, PutsOffWalksThatTakeTooLongInOneSample) {
  options_.walks_per_sample = std::chrono::nanoseconds(1);
  Process(42, 5, 50);
  Process(43, 5, 50);
  SystemSampler sampler(options_, std::nullopt);
  const SystemTarget targets[] = {Target(42, 5), Target(43, 5)};
  auto view = sampler.Sample(targets, now_);
  EXPECT_TRUE(view->targets[0].pages);
  EXPECT_FALSE(view->targets[1].pages);
  view = sampler.Sample(targets, now_ + seconds(1));
  EXPECT_TRUE(view->targets[1].pages);
}

TEST_F(SystemSamplerTest, ShowsTheKillOfACgroupsLastProcess) {
  Process(42, 5, 50);
  Group("pod/box", "104857600", kMiB, 0);
  SystemSampler sampler(options_, std::nullopt);
  EXPECT_EQ(sampler.Sample({{Target(42, 5)}}, now_)->cgroups.size(), 1U);
  files_.Remove("proc/42");
  Group("pod/box", "104857600", 0, 1);
  auto view = sampler.Sample({}, now_ + seconds(1));
  EXPECT_TRUE(view->targets.empty());
  ASSERT_EQ(view->cgroups.size(), 1U);
  EXPECT_EQ(view->cgroups[0].memory->events[4], 1U);
  EXPECT_TRUE(sampler.Sample({}, now_ + minutes(16))->cgroups.empty());
}

TEST_F(SystemSamplerTest, AddsWatchedProcessesUpToItsCap) {
  options_.max_targets = 3;
  for (int pid = 50; pid < 55; ++pid) Process(pid, pid, 50);
  auto watch = ProcessWatch::Make({"app"}, files_.root() + "/proc");
  ASSERT_TRUE(watch.ok());
  SystemSampler sampler(options_, *std::move(watch));
  const auto view = sampler.Sample({{Target(52, 52)}}, now_);
  ASSERT_EQ(view->targets.size(), 3U);
  EXPECT_EQ(view->targets[0].pid, 52U) << "under the shim";
  EXPECT_EQ(view->targets[1].pid, 50U);
  EXPECT_EQ(view->watched, 4U) << "no process twice";
  EXPECT_EQ(view->watched_dropped, 2U);
}

TEST_F(SystemSamplerTest, SplitsTheResidentMemoryOfAProcessUnderTheShim) {
  Process(42, 5, 50);
  files_.Write("proc/42/smaps",
               "01000000-01100000 rw-p 00000000 00:00 0   [heap]\n"
               "Rss: 40 kB\nAnonymous: 40 kB\nVmFlags: rd wr\n");
  SystemTarget target = Target(42, 5);
  target.heap = HeapFigures{.ledger_file = "42-5.ledger",
                            .live_bytes = 30 * kKiB,
                            .glibc_malloc = true};
  SystemSampler sampler(options_, std::nullopt);
  const auto view = sampler.Sample({{target}}, now_);
  ASSERT_TRUE(view->targets[0].parts);
  EXPECT_EQ(view->targets[0].parts->live, 30 * kKiB);
  EXPECT_EQ(view->targets[0].parts->sum(), view->targets[0].memory.resident());
}

}  // namespace
}  // namespace heapledger::collector
