// SPDX-License-Identifier: Apache-2.0
#include "collector/obituary/verdict.h"

#include <gtest/gtest.h>

#include <csignal>
#include <string>

namespace heapledger::collector::obituary {
namespace {

constexpr std::uint64_t kMib = 1 << 20;
constexpr std::uint64_t kNoon = 1'700'000'000'000'000'000;

LedgerSnapshot Server(std::uint64_t live) {
  LedgerSnapshot snapshot;
  snapshot.identity.pid = 123;
  snapshot.identity.exe = "/usr/bin/redis-server";
  snapshot.mode = MeasureMode::kExact;
  snapshot.totals.allocated_bytes = live;
  return snapshot;
}

CallsiteFigure Put(std::uint64_t live) {
  return {
      {"0000000000000001", "Cache::put", "redis-server", "/src/cache.cc", 42},
      live,
      1};
}

Obituary Died(EndKind kind, int signal) {
  Obituary o;
  o.ending.kind = kind;
  o.ending.signal = signal;
  o.died_realtime_ns = kNoon;
  o.died_exactly = true;
  return o;
}

TEST(VerdictTest, AnOomKillNamesLimitHolderAndGrowth) {
  Obituary o = Died(EndKind::kOomKill, SIGKILL);
  o.oom.emplace();
  o.oom->limit_cgroup = "/x";
  o.oom->limit_bytes = 256 * kMib;
  o.callsites = {Put(0).site};
  for (std::uint64_t i = 0; i <= 140; ++i) {
    o.history.push_back({1000 * i, {0, 0, 0, 0, i * kMib}});
  }
  EXPECT_EQ(Verdict(Server(200 * kMib), o, {Put(150 * kMib)}),
            "redis-server (pid 123) was killed by the kernel's OOM killer of "
            "memory cgroup /x at 2023-11-14T22:13:20Z (limit 256.0 MiB); "
            "Cache::put (cache.cc:42) held 150.0 MiB, 75 % of its live heap, "
            "and grew by 1.0 MiB/s for 140 s");
}

TEST(VerdictTest, ALikelyKillSaysThatItIsOne) {
  Obituary o = Died(EndKind::kOomKill, SIGKILL);
  o.ending.likely = true;
  o.cgroup_before.emplace();
  o.cgroup_before->cgroup = "/y";
  o.cgroup_before->limits = {{"/y", 512 * kMib}, {"/", 64 * kMib}};
  EXPECT_EQ(HowItDied(o),
            "killed by SIGKILL, most likely by the kernel's OOM killer of "
            "memory cgroup /y at 2023-11-14T22:13:20Z (limit 64.0 MiB)");
}

TEST(VerdictTest, EveryEndHasItsWords) {
  EXPECT_EQ(HowItDied(Died(EndKind::kSignal, SIGKILL)),
            "killed by SIGKILL at 2023-11-14T22:13:20Z (by whom is not known)");
  EXPECT_EQ(HowItDied(Died(EndKind::kCrash, SIGSEGV)),
            "ended by a crash (SIGSEGV) at 2023-11-14T22:13:20Z");
  Obituary exited = Died(EndKind::kExit, 0);
  exited.ending.exit_status = 3;
  EXPECT_EQ(HowItDied(exited),
            "ended by its own exit with status 3 at 2023-11-14T22:13:20Z");
  Obituary unknown = Died(EndKind::kUnknown, 0);
  unknown.died_exactly = false;
  EXPECT_EQ(HowItDied(unknown),
            "ended without an exit of its own some time after "
            "2023-11-14T22:13:20Z (killed or crashed, by which signal is not "
            "known)");
}

TEST(VerdictTest, WhoGrewMostIsNamedBesideTheLargest) {
  Obituary o = Died(EndKind::kSignal, SIGTERM);
  CallsiteColumn leak = {"0000000000000002", "Leak", "m", "", 0};
  o.callsites = {Put(0).site, leak};
  for (std::uint64_t i = 0; i <= 10; ++i) {
    o.history.push_back({1000 * i, {0, 0, 0, 0, 100 * kMib, i * 5 * kMib}});
  }
  const std::string text =
      Verdict(Server(150 * kMib), o, {Put(100 * kMib), {leak, 50 * kMib, 1}});
  EXPECT_NE(text.find("Cache::put (cache.cc:42) held 100.0 MiB, 67 % of its "
                      "live heap; most of the growth was Leak (m)'s, which "
                      "grew by 5.0 MiB/s for 10 s"),
            std::string::npos)
      << text;
}

TEST(VerdictTest, AnEmptyHeapIsSaidToBeOne) {
  const std::string text = Verdict(Server(0), Died(EndKind::kExit, 0), {});
  EXPECT_NE(text.find("nothing was live"), std::string::npos);
}

}  // namespace
}  // namespace heapledger::collector::obituary
