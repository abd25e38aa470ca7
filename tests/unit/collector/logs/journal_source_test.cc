// SPDX-License-Identifier: Apache-2.0
#include "collector/logs/journal_source.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/temp_directory.h"

namespace heapledger::collector::logs {
namespace {

TEST(JournalEntryTest, AnEntryIsWhatItCallsItself) {
  const auto entry = ParseJournalEntry(
      R"({"MESSAGE":"a \"b\"","SYSLOG_IDENTIFIER":"app","_COMM":"python3",)"
      R"("_PID":"42","_TRANSPORT":"stdout","__REALTIME_TIMESTAMP":"1700000000000001"})");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->program, "app");
  EXPECT_EQ(entry->text, "a \"b\"");
  EXPECT_EQ(entry->pid, 42U);
  EXPECT_EQ(entry->realtime_ns, 1'700'000'000'000'001'000U);
}

TEST(JournalEntryTest, OnlyTheKernelIsTheKernel) {
  EXPECT_EQ(
      ParseJournalEntry(R"({"MESSAGE":"x","_TRANSPORT":"kernel"})")->program,
      "kernel");
  EXPECT_EQ(ParseJournalEntry(
                R"({"MESSAGE":"x","_TRANSPORT":"syslog","_COMM":"liar",)"
                R"("SYSLOG_IDENTIFIER":"kernel"})")
                ->program,
            "liar");
}

TEST(JournalEntryTest, BytesAndListsAreText) {
  EXPECT_EQ(ParseJournalEntry(R"({"MESSAGE":[97,255,98]})")->text,
            "a\xff"
            "b");
  EXPECT_EQ(ParseJournalEntry(R"({"MESSAGE":["first","second"]})")->text,
            "first");
}

TEST(JournalEntryTest, WhatIsNoEntryIsNone) {
  for (const char* line :
       {"", "{", "[]", "3", "{}", R"({"MESSAGE":null})",
        R"({"MESSAGE":{"a":1}})", R"({"MESSAGE":[["a"]]})"}) {
    EXPECT_FALSE(ParseJournalEntry(line)) << line;
  }
}

// A program that speaks as journalctl does and then ends.
TEST(JournalSourceTest, FollowsTheChildAndSaysWhenItEnds) {
  heapledger::testing::TempDirectory directory;
  const std::string program = directory.Path("journalctl");
  std::ofstream(program) << "#!/bin/sh\n"
                            "echo \"{\\\"MESSAGE\\\":\\\"$*\\\"}\"\n"
                            "echo garbage\n"
                            "printf '{\"MESSAGE\":'\n"
                            "sleep 0.05\n"
                            "echo '\"torn\"}'\n";
  chmod(program.c_str(), 0700);
  const auto source = MakeJournalSource(ReadFrom::kEnd, program);
  std::vector<std::string> texts;
  const LineSink sink = [&texts](const LogLine& line) {
    texts.emplace_back(line.text);
  };
  for (int i = 0; i < 1000 && source->state().readable; ++i) {
    (void)source->Poll(1 << 20, sink);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_NE(texts[0].find("--follow --output=json"), std::string::npos);
  EXPECT_NE(texts[0].find("--lines=0"), std::string::npos);
  EXPECT_EQ(texts[1], "torn");
  EXPECT_NE(source->state().problem.find("ended"), std::string::npos);
}

TEST(JournalSourceTest, AMissingProgramIsSaid) {
  const auto source =
      MakeJournalSource(ReadFrom::kEnd, "/nonexistent/journalctl");
  EXPECT_FALSE(source->state().readable);
  EXPECT_NE(source->state().problem.find("follow kmsg instead"),
            std::string::npos);
  EXPECT_FALSE(source->Poll(1, [](const LogLine&) {}));
}

}  // namespace
}  // namespace heapledger::collector::logs
