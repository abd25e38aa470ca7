// SPDX-License-Identifier: Apache-2.0
#include "collector/logs/log_book.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace heapledger::collector::logs {
namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;

class LogBookTest : public ::testing::Test {
 protected:
  void Say(std::uint64_t second, const std::string& text,
           const std::string& source = "kmsg",
           const std::string& program = "kernel") {
    book_.Book(source, {program, 0, text, 0}, second * kSecondNs);
  }
  void Kill(std::uint64_t second, const std::string& process, int pid,
            const std::string& source = "kmsg") {
    Say(second,
        "Out of memory: Killed process " + std::to_string(pid) + " (" +
            process + ") total-vm:1kB",
        source);
  }
  PatternRecord Record(const std::string& name) const {
    const auto view = book_.view();
    return *std::ranges::find(view->patterns, name, &PatternRecord::name);
  }

  LogBook book_{*PatternTable::Compile(BuiltInPatterns())};
};

TEST_F(LogBookTest, EveryPatternIsThereBeforeItCame) {
  EXPECT_EQ(book_.view()->patterns.size(), 5U);
  EXPECT_EQ(Record("oom_killer").count, 0U);
  EXPECT_EQ(Record("oom_killer").first_seen_ns, 0U);
}

TEST_F(LogBookTest, CountsWithFirstAndLastTime) {
  Kill(100, "a", 1);
  Kill(160, "b", 2);
  Say(170, "all is well");
  const PatternRecord record = Record("oom_killer");
  EXPECT_EQ(record.count, 2U);
  EXPECT_EQ(record.first_seen_ns, 100 * kSecondNs);
  EXPECT_EQ(record.last_seen_ns, 160 * kSecondNs);
  EXPECT_EQ(record.last_source, "kmsg");
}

TEST_F(LogBookTest, ALinesOwnTimeCounts) {
  book_.Book("journal", {"kernel", 0, "oom-kill:constraint=X", 5 * kSecondNs},
             100 * kSecondNs);
  EXPECT_EQ(Record("oom_killer").last_seen_ns, 5 * kSecondNs);
}

TEST_F(LogBookTest, OneKillByTwoWaysIsOne) {
  Kill(100, "server", 42, "kmsg");
  Kill(101, "server", 42, "journal");
  EXPECT_EQ(book_.view()->kills.at("server"), 1U);
  EXPECT_EQ(Record("oom_killer").count, 2U) << "lines are counted as they come";
  Kill(102, "server", 43, "journal");
  Kill(103, "server", 42, "kmsg");  // the same source says it twice: two
  EXPECT_EQ(book_.view()->kills.at("server"), 3U);
}

TEST_F(LogBookTest, ThePidOfAKillMayComeBackLater) {
  Kill(100, "server", 42, "kmsg");
  Kill(200, "server", 42, "journal");
  EXPECT_EQ(book_.view()->kills.at("server"), 2U);
}

TEST_F(LogBookTest, ProcessesAndKillsAreBounded) {
  for (int i = 0; i < 200; ++i) {
    Kill(100, "p" + std::to_string(i), i + 1);
  }
  const auto view = book_.view();
  EXPECT_EQ(view->kills.size(), LogBook::kMaxProcesses + 1);
  EXPECT_EQ(view->kills.at(LogBook::kOtherProcesses), 200 - 64U);
  EXPECT_EQ(view->last_kills.size(), LogBook::kMaxKills);
  EXPECT_EQ(view->last_kills.back().process, "p199");
}

TEST_F(LogBookTest, OurOwnWordsAreNotCounted) {
  Say(100, "std::bad_alloc", "f", "heapledger");
  Say(100, "heapledger: collect: std::bad_alloc", "f", "");
  EXPECT_EQ(Record("malloc_fail").count, 0U);
  Say(100, "std::bad_alloc", "f", "");
  EXPECT_EQ(Record("malloc_fail").count, 1U);
}

TEST_F(LogBookTest, AViewStaysWhatItWas) {
  const auto before = book_.view();
  Kill(100, "a", 1);
  EXPECT_TRUE(before->kills.empty());
}

}  // namespace
}  // namespace heapledger::collector::logs
