// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/terminal.h"

#include <gtest/gtest.h>

#include <utility>

namespace heapledger::collector::cli {
namespace {

using Kind = Key::Kind;
using Parsed = std::pair<Key, std::size_t>;

TEST(ParseKeyTest, TakesOneKeyOfMany) {
  EXPECT_EQ(ParseKey("qs"), (Parsed{{Kind::kCharacter, 'q'}, 1}));
  EXPECT_EQ(ParseKey("\x1b[A\x1b[B"), (Parsed{{Kind::kUp, 0}, 3}));
  EXPECT_EQ(ParseKey("\x1bOB"), (Parsed{{Kind::kDown, 0}, 3}));
  EXPECT_EQ(ParseKey("\x1b[6~x"), (Parsed{{Kind::kPageDown, 0}, 4}));
}

TEST(ParseKeyTest, TellsEscapeFromSequencesNobodyWaitsFor) {
  EXPECT_EQ(ParseKey("\x1b"), (Parsed{{Kind::kEscape, 0}, 1}));
  EXPECT_EQ(ParseKey("\x1b[15~").second, 0U);
  EXPECT_EQ(ParseKey("").second, 0U);
}

TEST(TerminalTest, SaysWhatToDoWithoutATerminal) {
  const auto terminal = Terminal::Open();
  ASSERT_FALSE(terminal.ok());
  EXPECT_NE(terminal.status().message().find("--once"), std::string::npos);
}

}  // namespace
}  // namespace heapledger::collector::cli
