// SPDX-License-Identifier: Apache-2.0
#include "collector/logs/log_line.h"

#include <gtest/gtest.h>

#include <string>

namespace heapledger::collector::logs {
namespace {

// "program[pid]|text"
std::string Parsed(std::string_view text) {
  const LogLine line = ParseLine(text);
  return std::string(line.program) + "[" + std::to_string(line.pid) + "]|" +
         std::string(line.text);
}

TEST(LogLineTest, SyslogHeadsNameTheProgram) {
  EXPECT_EQ(Parsed("Nov  2 10:00:00 host cron[42]: text: more"),
            "cron[42]|text: more");
  EXPECT_EQ(Parsed("<13>Nov 22 10:00:00 host su: text"), "su[0]|text");
  EXPECT_EQ(Parsed("2026-11-22T10:00:00.1+00:00 host a.b-c[1]: text"),
            "a.b-c[1]|text");
  EXPECT_EQ(Parsed("<165>1 2026-11-22T10:00:00Z host app 77 ID - text"),
            "app[77]|text");
  EXPECT_EQ(Parsed("<165>1 2026-11-22T10:00:00Z host app - ID [a b=\"c\"] t"),
            "app[0]|t");
}

TEST(LogLineTest, TheKernelIsKnownByItsStamp) {
  EXPECT_EQ(Parsed("[   12.345678] text"), "kernel[0]|text");
  EXPECT_EQ(Parsed("[   12.345678][  T812] text"), "kernel[0]|text");
  EXPECT_EQ(Parsed("[Mon Dec  8 17:51:31 2025] text"), "kernel[0]|text");
  EXPECT_EQ(Parsed("Nov  2 10:00:00 host kernel: [   12.3] text"),
            "kernel[0]|text");
}

TEST(LogLineTest, ThoseWhoWriteToTheKernelsLogAreNotTheKernel) {
  EXPECT_EQ(Parsed("[   12.345678] systemd[1]: text"), "systemd[1]|text");
  EXPECT_EQ(Parsed("[   12.345678] kernel: name: text"),
            "kernel[0]|name: text");
  EXPECT_EQ(ParseWriter("anything: text").program, "user");
}

TEST(LogLineTest, ContainersWrapLines) {
  EXPECT_EQ(Parsed("2026-11-22T10:00:00.123456789Z stderr F text"), "[0]|text");
  EXPECT_EQ(Parsed(R"({"log":"text\n","stream":"stdout","time":"2026"})"),
            "[0]|text");
}

TEST(LogLineTest, WithoutAHeadAllIsText) {
  EXPECT_EQ(Parsed("MemoryError: x"), "[0]|MemoryError: x");
  EXPECT_EQ(Parsed("[not a stamp] x"), "[0]|[not a stamp] x");
  EXPECT_EQ(Parsed(""), "[0]|");
}

TEST(LogLineTest, AProgramsOwnTimeIsNoText) {
  EXPECT_EQ(Parsed("2026-11-22 10:00:00.123 UTC [42] ERROR:  text"),
            "[0]|ERROR:  text");
}

}  // namespace
}  // namespace heapledger::collector::logs
