// SPDX-License-Identifier: Apache-2.0
#include "collector/logs/line_splitter.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace heapledger::collector::logs {
namespace {

class LineSplitterTest : public ::testing::Test {
 protected:
  void Feed(std::string_view bytes) {
    splitter_.Feed(
        bytes, [this](std::string_view line) { lines_.emplace_back(line); });
  }
  void Finish() {
    splitter_.Finish(
        [this](std::string_view line) { lines_.emplace_back(line); });
  }

  LineSplitter splitter_{8};
  std::vector<std::string> lines_;
};

using Lines = std::vector<std::string>;

TEST_F(LineSplitterTest, ALineMayComeInPieces) {
  Feed("on");
  Feed("e\ntwo");
  EXPECT_EQ(lines_, Lines({"one"}));
  Feed("\r\n\n\nth");
  Finish();
  EXPECT_EQ(lines_, Lines({"one", "two", "th"}));
}

TEST_F(LineSplitterTest, OfALongLineTheBeginningStays) {
  Feed("0123456789");
  Feed("abcdef\nnext\n");
  EXPECT_EQ(lines_, Lines({"01234567", "next"}));
  EXPECT_EQ(splitter_.cut_lines(), 1U);
}

TEST_F(LineSplitterTest, ALineOfJustTheBoundIsWhole) {
  Feed("01234567\n");
  EXPECT_EQ(lines_, Lines({"01234567"}));
  EXPECT_EQ(splitter_.cut_lines(), 0U);
}

TEST_F(LineSplitterTest, NulBytesBeforeALineAreNoneOfIt) {
  Feed(std::string_view("\0\0\0", 3));
  Feed(std::string_view("\0ab\0c\n", 6));
  EXPECT_EQ(lines_, Lines({std::string("ab\0c", 4)}));
}

TEST_F(LineSplitterTest, WhatIsDroppedNeverComes) {
  Feed("torn");
  splitter_.Drop();
  Feed("new\n");
  EXPECT_EQ(lines_, Lines({"new"}));
}

}  // namespace
}  // namespace heapledger::collector::logs
