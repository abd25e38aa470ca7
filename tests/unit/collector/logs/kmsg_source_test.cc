// SPDX-License-Identifier: Apache-2.0
#include "collector/logs/kmsg_source.h"

#include <gtest/gtest.h>

namespace heapledger::collector::logs {
namespace {

TEST(KmsgSourceTest, ARecordOfTheKernelIsTheKernels) {
  const auto line = ParseKmsgRecord(
      "3,339,5140900,-;Killed process 1 (a)\n SUBSYSTEM=x\n", 1'000'000'000);
  ASSERT_TRUE(line);
  EXPECT_EQ(line->program, "kernel");
  EXPECT_EQ(line->text, "Killed process 1 (a)");
  EXPECT_EQ(line->realtime_ns, 1'000'000'000U + 5'140'900'000U);
}

TEST(KmsgSourceTest, WhatAProcessWroteIsNot) {
  // Facility 1 (user), which the kernel sets whatever the writer says.
  EXPECT_EQ(
      ParseKmsgRecord("11,339,5140900,-;Killed process 1 (a)", 0)->program,
      "user");
  const auto line = ParseKmsgRecord("30,339,51,-,caller=T1;systemd[1]: x", 0);
  ASSERT_TRUE(line);
  EXPECT_EQ(line->program, "systemd");
  EXPECT_EQ(line->pid, 1U);
  EXPECT_EQ(line->text, "x");
}

TEST(KmsgSourceTest, WhatIsNoRecordIsNone) {
  for (const char* record : {"", ";", "text", "6,1;x", "6,1,2;x", "a,b,c,-;x",
                             "6,1,-2,-;x", "99999999999999999999,1,2,-;x"}) {
    EXPECT_FALSE(ParseKmsgRecord(record, 0)) << record;
  }
}

TEST(KmsgSourceTest, AnUnreadableLogIsSaid) {
  const auto source = MakeKmsgSource(ReadFrom::kEnd, "/nonexistent/kmsg");
  EXPECT_FALSE(source->Poll(1000, [](const LogLine&) {}));
  EXPECT_FALSE(source->state().readable);
  EXPECT_NE(source->state().problem.find("/nonexistent/kmsg"),
            std::string::npos);
}

}  // namespace
}  // namespace heapledger::collector::logs
