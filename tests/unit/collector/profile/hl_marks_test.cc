// SPDX-License-Identifier: Apache-2.0
#include "collector/profile/hl_marks.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/temp_directory.h"
#include "tests/unit/collector/profile/heap_maker.h"

namespace heapledger::collector {
namespace {

using testing::HeapMaker;

class HlMarksTest : public ::testing::Test {
 protected:
  HlMarksTest() {
    maker_.AddCallsite({maker_.AddFrame("main")}, 100, 1);
    maker_.snapshot().identity.start_time_ticks = 7;
    maker_.snapshot().path = temp_.Path("4242-7.ledger");
    std::ofstream(maker_.snapshot().path) << "ledger";
  }

  void Set(const std::string& name, std::uint64_t when) {
    maker_.snapshot().taken_realtime_ns = when;
    const auto file = WriteHl(*maker_.Take(), {});
    ASSERT_TRUE(file.ok());
    std::ofstream(MarkPath(*maker_.Take(), name), std::ios::binary) << *file;
  }

  heapledger::testing::TempDirectory temp_;
  HeapMaker maker_;
};

TEST_F(HlMarksTest, TakesPlainNamesOnly) {
  for (const char* name : {"a", "deploy-41", "A.b_c", "..", "3.ledger"}) {
    EXPECT_TRUE(CheckMarkName(name).ok()) << name;
  }
  for (const std::string& name :
       {std::string(), std::string("a/b"), std::string("a b"),
        std::string("\xc3\xa4"), std::string(65, 'a')}) {
    EXPECT_FALSE(CheckMarkName(name).ok()) << name;
  }
  EXPECT_TRUE(CheckMarkName(std::string(64, 'a')).ok());
}

TEST_F(HlMarksTest, ListsTheMarksOfOneProcessByTime) {
  Set("late", 20);
  Set("early", 10);
  maker_.snapshot().identity.image = 1;
  Set("other", 5);
  maker_.snapshot().identity.image = 0;
  std::ofstream(temp_.Path("4242-7-0.broken.mark")) << "x";
  const auto marks = ListMarks(*maker_.Take());
  ASSERT_EQ(marks.size(), 2U);
  EXPECT_EQ(marks[0].name, "early");
  EXPECT_EQ(marks[1].name, "late");
  EXPECT_EQ(marks[1].live_bytes, 100U);
}

TEST_F(HlMarksTest, ReadsAMarkAndNamesThoseThatThereAre) {
  Set("deploy-41", 1);
  const auto mark = ReadMark(*maker_.Take(), "deploy-41");
  ASSERT_TRUE(mark.ok()) << mark.status();
  EXPECT_EQ(mark->snapshot->totals.live_bytes(), 100U);
  const auto none = ReadMark(*maker_.Take(), "deploy-42");
  EXPECT_EQ(none.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(none.status().message().find("it has deploy-41"),
            std::string::npos);
}

TEST_F(HlMarksTest, RefusesALinkAndAnotherProcessMark) {
  Set("real", 1);
  const auto path = MarkPath(*maker_.Take(), "link");
  ASSERT_EQ(symlink(MarkPath(*maker_.Take(), "real").c_str(), path.c_str()), 0);
  EXPECT_FALSE(ReadMark(*maker_.Take(), "link").ok());
  std::filesystem::rename(MarkPath(*maker_.Take(), "real"),
                          temp_.Path("9-7-0.real.mark"));
  maker_.snapshot().identity.pid = 9;
  const auto wrong = ReadMark(*maker_.Take(), "real");
  EXPECT_NE(wrong.status().message().find("another process"),
            std::string::npos);
}

TEST_F(HlMarksTest, GoWithTheirLedger) {
  Set("a", 1);
  std::ofstream(temp_.Path("77-8-0.b.mark")) << "x";
  std::ofstream(temp_.Path("mine.mark")) << "x";
  RemoveOrphanMarks(temp_.path());
  EXPECT_TRUE(std::filesystem::exists(MarkPath(*maker_.Take(), "a")));
  EXPECT_FALSE(std::filesystem::exists(temp_.Path("77-8-0.b.mark")));
  EXPECT_TRUE(std::filesystem::exists(temp_.Path("mine.mark")));
  std::filesystem::remove(maker_.snapshot().path);
  RemoveOrphanMarks(temp_.path());
  EXPECT_FALSE(std::filesystem::exists(MarkPath(*maker_.Take(), "a")));
}

}  // namespace
}  // namespace heapledger::collector
