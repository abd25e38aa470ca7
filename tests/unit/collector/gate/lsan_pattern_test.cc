// SPDX-License-Identifier: Apache-2.0
#include "collector/gate/lsan_pattern.h"

#include <gtest/gtest.h>

namespace heapledger::collector::gate {
namespace {

TEST(LsanPattern, MatchesPartsOfTheText) {
  EXPECT_TRUE(MatchesLsanPattern("foo", "foo"));
  EXPECT_TRUE(MatchesLsanPattern("foo", "a::foobar(int)"));
  EXPECT_FALSE(MatchesLsanPattern("foo", "fo"));
  EXPECT_FALSE(MatchesLsanPattern("foo", "Foo"));
  EXPECT_TRUE(MatchesLsanPattern("", "anything"));
}

TEST(LsanPattern, KnowsBeginningAndEnd) {
  EXPECT_TRUE(MatchesLsanPattern("^foo", "foobar"));
  EXPECT_FALSE(MatchesLsanPattern("^foo", "afoo"));
  EXPECT_TRUE(MatchesLsanPattern("foo$", "barfoo"));
  EXPECT_TRUE(MatchesLsanPattern("foo$", "foofoo"));
  EXPECT_FALSE(MatchesLsanPattern("foo$", "foobar"));
  EXPECT_TRUE(MatchesLsanPattern("^foo$", "foo"));
  EXPECT_FALSE(MatchesLsanPattern("^foo$", "foofoo"));
  EXPECT_FALSE(MatchesLsanPattern("^$", "foo"));
}

TEST(LsanPattern, StarStandsForAnything) {
  EXPECT_TRUE(MatchesLsanPattern("a*c", "xabbbcx"));
  EXPECT_TRUE(MatchesLsanPattern("a*c", "ac"));
  EXPECT_FALSE(MatchesLsanPattern("a*c", "ca"));
  EXPECT_TRUE(MatchesLsanPattern("^a*b*c$", "aXbYc"));
  EXPECT_FALSE(MatchesLsanPattern("^a*b*c$", "aXcYb"));
  EXPECT_TRUE(MatchesLsanPattern("^*c$", "abc"));
  EXPECT_TRUE(MatchesLsanPattern("ab*$", "xabyyy"));
  EXPECT_TRUE(MatchesLsanPattern("*", "x"));
  EXPECT_TRUE(MatchesLsanPattern("a*ab$", "aabab"));
  // The end may not take what the piece before it already did.
  EXPECT_FALSE(MatchesLsanPattern("^ab*b$", "ab"));
}

TEST(LsanPattern, NothingMatchesWhatIsUnknown) {
  EXPECT_FALSE(MatchesLsanPattern("*", ""));
  EXPECT_FALSE(MatchesLsanPattern("", ""));
}

}  // namespace
}  // namespace heapledger::collector::gate
