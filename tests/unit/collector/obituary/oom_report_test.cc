// SPDX-License-Identifier: Apache-2.0
#include "collector/obituary/oom_report.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <string>

namespace heapledger::collector::obituary {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

class KernelDeathsTest : public ::testing::Test {
 protected:
  // One record of the kernel's a line.
  void Tell(std::string_view text, std::uint64_t realtime_ns = 100 * kSecond,
            std::string_view program = "kernel") {
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      logs::LogLine line;
      line.program = program;
      line.text = text.substr(0, end);
      line.realtime_ns = realtime_ns;
      deaths_.Add(line);
      if (end == std::string_view::npos) return;
      text.remove_prefix(end + 1);
    }
  }

  const std::uint64_t page_ = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  KernelDeaths deaths_;
};

// Linux 6.18, cgroup v1.
constexpr char kOfACgroup[] =
    R"(leaker invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
CPU: 0 UID: 0 PID: 31867 Comm: leaker Not tainted 6.18.44 #1 PREEMPT(none)
Call Trace:
memory: usage 131072kB, limit 131072kB, failcnt 23
memory+swap: usage 131072kB, limit 9007199254740988kB, failcnt 0
kmem: usage 400kB, limit 9007199254740988kB, failcnt 0
Memory cgroup stats for /a,b/test:
cache 114688
Tasks state (memory values in pages):
[  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents oom_score_adj name
[  31867]     0 31867   173614    34166    32640     1526         0   368640        0             0 leaker
[  31868]  1000 31868   173614      166      100       66         0   368640        7          -500 my (odd) [name]
oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a,b,task_memcg=/a,b/test,task=leaker,pid=31867,uid=0
Memory cgroup out of memory: Killed process 31867 (leaker) total-vm:694456kB, anon-rss:130560kB, file-rss:6104kB, shmem-rss:0kB, UID:0 pgtables:360kB oom_score_adj:0)";

TEST_F(KernelDeathsTest, ReadsTheReportOfACgroup) {
  Tell(kOfACgroup);
  ASSERT_EQ(deaths_.reports().size(), 1U);
  const OomReport& report = deaths_.reports()[0];
  EXPECT_EQ(report.invoked_by, "leaker");
  EXPECT_EQ(report.constraint, "CONSTRAINT_MEMCG");
  EXPECT_EQ(report.limit_cgroup, "/a,b");
  EXPECT_EQ(report.task_cgroup, "/a,b/test");
  EXPECT_EQ(report.usage_bytes, 131072U * 1024);
  EXPECT_EQ(report.limit_bytes, 131072U * 1024);
  EXPECT_EQ(report.failures, 23U);
  EXPECT_EQ(report.realtime_ns, 100 * kSecond);
  ASSERT_EQ(report.tasks.size(), 2U);
  EXPECT_EQ(report.all_tasks, 2U);
  EXPECT_EQ(report.tasks[0].pid, 31867U);
  EXPECT_EQ(report.tasks[0].name, "leaker");
  EXPECT_EQ(report.tasks[0].resident_bytes, 34166 * page_);
  EXPECT_EQ(report.tasks[1].name, "my (odd) [name]");
  EXPECT_EQ(report.tasks[1].uid, 1000U);
  EXPECT_EQ(report.tasks[1].swap_bytes, 7 * page_);
  EXPECT_EQ(report.tasks[1].score_adjustment, -500);
  ASSERT_EQ(report.killed.size(), 1U);
  EXPECT_EQ(report.killed[0].pid, 31867U);
  EXPECT_EQ(report.killed[0].name, "leaker");
  EXPECT_EQ(report.killed[0].resident_bytes, (130560U + 6104U) * 1024);
}

TEST_F(KernelDeathsTest, ReadsTheReportOfTheHost) {
  Tell(
      R"(sshd invoked oom-killer: gfp_mask=0x100cca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=-1000
[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name
[    812]     0   812     3173      266    69632      112             0 systemd-logind
oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/system.slice/db.service,task=db,pid=99,uid=107
Out of memory: Killed process 99 (db) total-vm:9694456kB, anon-rss:7130560kB, file-rss:104kB, shmem-rss:4kB, UID:107 pgtables:15360kB oom_score_adj:200)");
  ASSERT_EQ(deaths_.reports().size(), 1U);
  const OomReport& report = deaths_.reports()[0];
  EXPECT_EQ(report.invoked_by, "sshd");
  EXPECT_EQ(report.constraint, "CONSTRAINT_NONE");
  EXPECT_EQ(report.limit_cgroup, "");
  EXPECT_EQ(report.task_cgroup, "/system.slice/db.service");
  EXPECT_EQ(report.limit_bytes, std::nullopt);
  ASSERT_EQ(report.tasks.size(), 1U);
  EXPECT_EQ(report.tasks[0].resident_bytes, 266 * page_);
  EXPECT_EQ(report.tasks[0].name, "systemd-logind");
  ASSERT_EQ(report.killed.size(), 1U);
  EXPECT_EQ(report.killed[0].uid, 107U);
  EXPECT_EQ(report.killed[0].score_adjustment, 200);
}

TEST_F(KernelDeathsTest, AGroupThatDiesAsAWholeIsOneReport) {
  Tell(
      R"(b invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/x,task_memcg=/x,task=a,pid=10,uid=0
Memory cgroup out of memory: Killed process 10 (a) total-vm:1kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:1kB oom_score_adj:0
Tasks in /x are going to be killed due to memory.oom.group set
Memory cgroup out of memory: Killed process 11 (b) total-vm:1kB, anon-rss:2kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:1kB oom_score_adj:0)");
  ASSERT_EQ(deaths_.reports().size(), 1U);
  ASSERT_EQ(deaths_.reports()[0].killed.size(), 2U);
  EXPECT_EQ(deaths_.reports()[0].killed[1].pid, 11U);
}

TEST_F(KernelDeathsTest, TwoKillsAreTwoReports) {
  Tell(kOfACgroup);
  Tell(kOfACgroup, 200 * kSecond);
  ASSERT_EQ(deaths_.reports().size(), 2U);
  EXPECT_EQ(deaths_.reports()[1].tasks.size(), 2U);
  // The report's beginning was overwritten before we came.
  Tell(
      "Memory cgroup out of memory: Killed process 7 (c) total-vm:1kB, "
      "anon-rss:2kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:1kB "
      "oom_score_adj:0",
      300 * kSecond);
  ASSERT_EQ(deaths_.reports().size(), 3U);
  EXPECT_EQ(deaths_.reports()[2].killed[0].name, "c");
  EXPECT_TRUE(deaths_.reports()[2].tasks.empty());
}

TEST_F(KernelDeathsTest, WhatIsNotTheKernelsIsPassedOver) {
  Tell(kOfACgroup, 100 * kSecond, "user");
  Tell(kOfACgroup, 100 * kSecond, "");
  EXPECT_TRUE(deaths_.reports().empty());
}

TEST_F(KernelDeathsTest, OldWordingsAreRead) {
  // Linux 4.19.
  Tell(
      "Killed process 1234 (java) total-vm:1kB, anon-rss:3kB, file-rss:1kB, "
      "shmem-rss:0kB");
  // Linux 5.0 to 5.2.
  Tell(
      "Memory cgroup out of memory: Killed process 77 (x (y)) total-vm:1kB, "
      "anon-rss:3kB, file-rss:0kB, shmem-rss:0kB",
      200 * kSecond);
  ASSERT_EQ(deaths_.reports().size(), 2U);
  EXPECT_EQ(deaths_.reports()[0].killed[0].pid, 1234U);
  EXPECT_EQ(deaths_.reports()[0].killed[0].resident_bytes, 4096U);
  EXPECT_EQ(deaths_.reports()[1].killed[0].name, "x (y)");
}

TEST_F(KernelDeathsTest, ReadsFaults) {
  Tell(
      "endings[3402]: segfault at 8 ip 00005582141d247c sp 00007ffd35f34080 "
      "error 6 in endings[147c,5582141d2000+1000] likely on CPU 1");
  Tell(
      "traps: a [b] c[17] general protection fault ip:55 sp:7f error:0 in "
      "a[5+1]");
  Tell("traps: d[18] trap invalid opcode ip:55 sp:7f error:0 in d[5+1]");
  Tell("traps: d[19] something of a later kernel ip:55");
  ASSERT_EQ(deaths_.faults().size(), 3U);
  EXPECT_EQ(deaths_.faults()[0].pid, 3402U);
  EXPECT_EQ(deaths_.faults()[0].signal, SIGSEGV);
  EXPECT_EQ(deaths_.faults()[1].name, "a [b] c");
  EXPECT_EQ(deaths_.faults()[1].pid, 17U);
  EXPECT_EQ(deaths_.faults()[2].signal, SIGILL);
}

TEST_F(KernelDeathsTest, IsBounded) {
  for (std::uint64_t i = 0; i < 100; ++i) {
    Tell(kOfACgroup, (100 + 20 * i) * kSecond);
  }
  EXPECT_EQ(deaths_.reports().size(), KernelDeaths::kMaxReports);
  EXPECT_EQ(deaths_.reports().back().realtime_ns, 2080 * kSecond);
  Tell(
      "x invoked oom-killer: gfp_mask=0\n"
      "[  pid  ]   uid  tgid total_vm      rss oom_score_adj name");
  for (int i = 1; i < 1000; ++i) {
    Tell("[ " + std::to_string(i) + "] 0 " + std::to_string(i) + " 9 " +
         std::to_string(i * 7919 % 1009) + " 0 p");
  }
  const OomReport& report = deaths_.reports().back();
  EXPECT_EQ(report.all_tasks, 999U);
  EXPECT_EQ(report.tasks.size(), KernelDeaths::kMaxTasks);
  EXPECT_EQ(report.tasks[0].resident_bytes, 1008 * page_);
}

}  // namespace
}  // namespace heapledger::collector::obituary
