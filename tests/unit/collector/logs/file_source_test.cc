// SPDX-License-Identifier: Apache-2.0
#include "collector/logs/file_source.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/temp_directory.h"

namespace heapledger::collector::logs {
namespace {

namespace fs = std::filesystem;
using Lines = std::vector<std::string>;

class FileSourceTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) { return directory_.Path(name); }

  void Append(const std::string& name, std::string_view text) {
    std::ofstream(Path(name), std::ios::app | std::ios::binary) << text;
  }

  void Follow(const std::string& pattern, ReadFrom from = ReadFrom::kEnd) {
    source_ = MakeFileSource(
        Path(pattern), {.from = from, .linger = std::chrono::milliseconds(30)});
  }

  // What is new.
  Lines Poll() {
    Lines lines;
    while (source_->Poll(100, [&lines](const LogLine& line) {
      lines.emplace_back(line.text);
    })) {
    }
    return lines;
  }

  heapledger::testing::TempDirectory directory_;
  std::unique_ptr<LogSource> source_;
};

TEST_F(FileSourceTest, WhatIsThereIsPassedOverUnlessAskedFor) {
  Append("a.log", "old\n");
  Follow("a.log");
  Append("a.log", "new\n");
  EXPECT_EQ(Poll(), Lines({"new"}));
  Follow("a.log", ReadFrom::kStart);
  EXPECT_EQ(Poll(), Lines({"old", "new"}));
}

TEST_F(FileSourceTest, ATornLineWaitsForItsEnd) {
  Append("a.log", "");
  Follow("a.log");
  Append("a.log", "to");
  EXPECT_EQ(Poll(), Lines());
  Append("a.log", "rn\nnext");
  EXPECT_EQ(Poll(), Lines({"torn"}));
}

TEST_F(FileSourceTest, RenamedAndMadeAnew) {
  Append("a.log", "0\n");
  Follow("a.log*");
  fs::rename(Path("a.log"), Path("a.log.1"));
  Append("a.log.1", "last of the old\n");
  Append("a.log", "first of the new\n");
  Lines lines = Poll();
  std::sort(lines.begin(), lines.end());
  EXPECT_EQ(lines, Lines({"first of the new", "last of the old"}));
  EXPECT_EQ(Poll(), Lines()) << "the old one's new name matches as well";
}

TEST_F(FileSourceTest, RenamedAwayWithALineThatHasNoEnd) {
  Append("a.log", "0\n");
  Follow("a.log");
  fs::rename(Path("a.log"), Path("gone"));
  Append("gone", "torn");
  Append("a.log", "new\n");
  EXPECT_EQ(Poll(), Lines({"new"}));
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  EXPECT_EQ(Poll(), Lines({"torn"}));
  Append("gone", "nobody reads this\n");
  EXPECT_EQ(Poll(), Lines());
  EXPECT_EQ(source_->state().lines, 2U);
}

TEST_F(FileSourceTest, CopiedAndTruncated) {
  Append("a.log", "");
  Follow("a.log");
  Append("a.log", "one\ntwo\ntorn");
  EXPECT_EQ(Poll(), Lines({"one", "two"}));
  fs::resize_file(Path("a.log"), 0);
  Append("a.log", "new\n");
  EXPECT_EQ(Poll(), Lines({"new"}));
}

TEST_F(FileSourceTest, TruncatedAndGrownPastThePlace) {
  Append("a.log", "one\ntwo\n");
  Follow("a.log");
  fs::resize_file(Path("a.log"), 0);
  Append("a.log", "new one\nnew two\nnew three\n");
  EXPECT_EQ(Poll(), Lines({"new one", "new two", "new three"}));
}

TEST_F(FileSourceTest, TruncatedAndGrownToThePlace) {
  Append("a.log", "");
  Follow("a.log");
  Append("a.log", "one\n");
  EXPECT_EQ(Poll(), Lines({"one"}));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  fs::resize_file(Path("a.log"), 0);
  Append("a.log", "two\n");
  EXPECT_EQ(Poll(), Lines({"two"}));
}

// A writer without O_APPEND goes on at its old place: a hole, then text.
TEST_F(FileSourceTest, TruncatedUnderAWriterThatKeepsItsPlace) {
  const std::string old = std::string(20'000, 'x') + "\n";
  Append("a.log", old);
  Follow("a.log");
  const int writer = open(Path("a.log").c_str(), O_WRONLY);
  ASSERT_EQ(ftruncate(writer, 0), 0);
  ASSERT_EQ(pwrite(writer, "new\n", 4, static_cast<off_t>(old.size())), 4);
  EXPECT_EQ(Poll(), Lines({"new"}));
  close(writer);
}

TEST_F(FileSourceTest, DeletedAndMadeAgain) {
  Append("a.log", "0\n");
  Follow("a.log");
  Append("a.log", "last\n");
  fs::remove(Path("a.log"));
  EXPECT_EQ(Poll(), Lines({"last"}));
  Append("a.log", "first\n");
  EXPECT_EQ(Poll(), Lines({"first"}));
}

TEST_F(FileSourceTest, AFileIsWaitedFor) {
  Follow("later.log");
  EXPECT_EQ(Poll(), Lines());
  EXPECT_NE(source_->state().problem.find("later.log"), std::string::npos);
  Append("later.log", "here\n");
  EXPECT_EQ(Poll(), Lines({"here"}));
  EXPECT_TRUE(source_->state().readable);
}

TEST_F(FileSourceTest, TenGigabytesOfHoleCostNothing) {
  Append("a.log", "head\n");
  fs::resize_file(Path("a.log"), 10LL << 30);
  Append("a.log", "tail\n");
  Follow("a.log", ReadFrom::kStart);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(Poll(), Lines({"head", "tail"}));
  Follow("a.log");
  Append("a.log", "more\n");
  EXPECT_EQ(Poll(), Lines({"more"}));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
}

TEST_F(FileSourceTest, GarbageAndEndlessLinesPassInBoundedMemory) {
  std::string garbage;
  for (int i = 0; i < 200'000; ++i) {
    garbage += static_cast<char>((i * 7919) >> 3);
  }
  Append("a.log", "");
  Follow("a.log");
  Append("a.log", garbage + "\n" + std::string(1 << 20, 'x') + "\nafter\n");
  const Lines lines = Poll();
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(lines.back(), "after");
  EXPECT_GE(source_->state().cut, 1U);
  for (const std::string& line : lines) EXPECT_LE(line.size(), 16384U);
}

TEST_F(FileSourceTest, WhatIsNoFileIsRefusedWithoutWaiting) {
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
  Follow("pipe");
  EXPECT_EQ(Poll(), Lines());
  EXPECT_NE(source_->state().problem.find("no regular file"),
            std::string::npos);
}

TEST_F(FileSourceTest, FilesAreBounded) {
  for (int i = 0; i < 5; ++i) Append("f" + std::to_string(i) + ".log", "x\n");
  source_ =
      MakeFileSource(Path("*.log"), {.from = ReadFrom::kStart, .max_files = 3});
  EXPECT_EQ(Poll().size(), 3U);
  EXPECT_NE(source_->state().problem.find("more than 3 files"),
            std::string::npos);
}

}  // namespace
}  // namespace heapledger::collector::logs
