// SPDX-License-Identifier: Apache-2.0
// The built-in patterns over lines as programs write them when memory runs
// short, and over as many in which nothing is the matter.
#include <gtest/gtest.h>
#include <re2/re2.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "collector/logs/log_book.h"
#include "collector/logs/log_line.h"
#include "collector/logs/pattern_table.h"

namespace heapledger::collector::logs {
namespace {

std::vector<std::string> Lines(const std::string& name) {
  std::ifstream file(std::string(HEAPLEDGER_LOG_CORPUS) + "/" + name);
  EXPECT_TRUE(file) << name;
  std::vector<std::string> lines;
  std::string line;
  while (std::getline(file, line)) {
    if (!line.empty() && line[0] != '#') lines.push_back(line);
  }
  return lines;
}

struct Expected {
  std::string patterns;  // "a+b"
  std::string killed;    // "name:pid"
  std::string line;
};

Expected Parse(const std::string& text) {
  const std::size_t tab = text.find('\t');
  EXPECT_NE(tab, std::string::npos) << text;
  Expected expected;
  expected.line = text.substr(tab + 1);
  expected.patterns = text.substr(0, tab);
  const std::size_t equals = expected.patterns.find('=');
  if (equals != std::string::npos) {
    expected.killed = expected.patterns.substr(equals + 1);
    expected.patterns.resize(equals);
  }
  return expected;
}

class CorpusTest : public ::testing::Test {
 protected:
  CorpusTest() : table_(*PatternTable::Compile(BuiltInPatterns())) {}

  std::string Patterns(const std::string& line) const {
    const LogLine parsed = ParseLine(line);
    if (IsOurs(parsed)) return "";
    std::string names;
    for (const PatternMatch& match : table_->Match(parsed)) {
      if (!names.empty()) names += '+';
      names += table_->patterns()[match.pattern].name;
    }
    return names;
  }

  std::unique_ptr<PatternTable> table_;
};

TEST_F(CorpusTest, EveryLineOfMemoryRunningShortIsFoundAsWhatItIs) {
  for (const std::string& text : Lines("memory_lines.txt")) {
    const Expected expected = Parse(text);
    EXPECT_EQ(Patterns(expected.line), expected.patterns) << expected.line;
  }
}

TEST_F(CorpusTest, WhoWasKilledIsNamed) {
  int kills = 0;
  for (const std::string& text : Lines("memory_lines.txt")) {
    const Expected expected = Parse(text);
    std::string killed;
    for (const PatternMatch& match : table_->Match(ParseLine(expected.line))) {
      if (match.killed.empty()) continue;
      killed = match.killed + ":" + std::to_string(match.pid);
      ++kills;
    }
    EXPECT_EQ(killed, expected.killed) << expected.line;
  }
  EXPECT_GE(kills, 12);
}

TEST_F(CorpusTest, NoHarmlessLineIsTakenForMore) {
  const std::vector<std::string> harmless = Lines("harmless_lines.txt");
  for (const std::string& line : harmless) {
    EXPECT_EQ(Patterns(line), "") << line;
  }
  EXPECT_GE(harmless.size(), Lines("memory_lines.txt").size());
}

TEST_F(CorpusTest, CaseDoesNotMatter) {
  for (const std::string& text : Lines("memory_lines.txt")) {
    const Expected expected = Parse(text);
    LogLine line = ParseLine(expected.line);
    std::string upper(line.text);
    for (char& c : upper) c = static_cast<char>(std::toupper(c));
    line.text = upper;
    EXPECT_FALSE(table_->Match(line).empty()) << upper;
  }
}

// The five expressions that the product's first table held, each a case
// sensitive search, over the same lines. What they find is printed; the bounds
// are what was counted when the corpus was made.
TEST_F(CorpusTest, TheFirstTableFindsFewOfThemAndErrs) {
  const std::map<std::string, std::string> first = {
      {"oom_killer", "Out of memory: Kill process"},
      {"malloc_fail", "malloc.*failed|Memory allocation failed"},
      {"gc_pressure", R"(gc: \d+ ms)"},
      {"memory_warning", "memory.*warning|low memory"},
      {"swap_thrashing", "swap.*thrashing|excessive swapping"}};
  const auto patterns = [&first](const std::string& line) {
    std::string names;
    for (const auto& [name, regex] : first) {
      if (!RE2::PartialMatch(line, regex)) continue;
      if (!names.empty()) names += '+';
      names += name;
    }
    return names;
  };
  std::size_t found = 0;
  const std::vector<std::string> lines = Lines("memory_lines.txt");
  for (const std::string& text : lines) {
    const Expected expected = Parse(text);
    if (patterns(expected.line) == expected.patterns) ++found;
  }
  std::size_t false_alarms = 0;
  const std::vector<std::string> harmless = Lines("harmless_lines.txt");
  for (const std::string& line : harmless) {
    if (!patterns(line).empty()) ++false_alarms;
  }
  std::printf(
      "first table: %zu of %zu found, %zu of %zu harmless lines taken\n", found,
      lines.size(), false_alarms, harmless.size());
  EXPECT_LT(found, lines.size() / 4);
  EXPECT_GT(false_alarms, 5U);
}

}  // namespace
}  // namespace heapledger::collector::logs
