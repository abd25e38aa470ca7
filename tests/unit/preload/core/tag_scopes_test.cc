// SPDX-License-Identifier: Apache-2.0
#include "preload/core/tag_scopes.h"

#include <gtest/gtest.h>

#include <vector>

namespace heapledger::preload {
namespace {

class TagScopesTest : public ::testing::Test {
 protected:
  std::vector<std::uint32_t> Leave(std::uint32_t outer_depth) {
    std::vector<std::uint32_t> left;
    scopes_.Leave(outer_depth,
                  [&left](std::uint32_t tag) { left.push_back(tag); });
    return left;
  }
  std::vector<std::uint32_t> Open() const {
    std::vector<std::uint32_t> open;
    scopes_.ForEachOpen([&open](std::uint32_t tag) { open.push_back(tag); });
    return open;
  }

  TagScopes scopes_{};
};

using Tags = std::vector<std::uint32_t>;

TEST_F(TagScopesTest, AScopeIsOpenUntilItIsLeft) {
  EXPECT_TRUE(scopes_.Begin(5, ScopeKind::kOwn));
  EXPECT_EQ(Open(), Tags{5});
  EXPECT_EQ(Leave(0), Tags{5});
  EXPECT_EQ(Open(), Tags{});
  EXPECT_EQ(Leave(0), Tags{});
}

TEST_F(TagScopesTest, LeavingAnOuterOneLeavesThoseInside) {
  scopes_.Begin(5, ScopeKind::kOwn);
  scopes_.Begin(6, ScopeKind::kOwn);
  scopes_.Begin(7, ScopeKind::kOwn);
  EXPECT_EQ(Leave(1), (Tags{7, 6}));
  EXPECT_EQ(Open(), Tags{5});
}

TEST_F(TagScopesTest, AdoptedOnesAndThoseOfNoTagAreNotCounted) {
  EXPECT_FALSE(scopes_.Begin(5, ScopeKind::kAdopted));
  EXPECT_FALSE(scopes_.Begin(ledger::kNoTag, ScopeKind::kOwn));
  EXPECT_EQ(Open(), Tags{});
  EXPECT_EQ(scopes_.depth, 2U);
  EXPECT_EQ(Leave(0), Tags{});
  EXPECT_EQ(scopes_.depth, 0U);
}

TEST_F(TagScopesTest, WhatIsTooDeepIsNeitherBegunNorLeft) {
  Tags begun;
  for (std::uint32_t i = 0; i < TagScopes::kKept + 10; ++i) {
    if (scopes_.Begin(100 + i, ScopeKind::kOwn)) begun.push_back(100 + i);
  }
  EXPECT_EQ(begun.size(), TagScopes::kKept);
  Tags left = Leave(0);
  EXPECT_EQ(Tags(left.rbegin(), left.rend()), begun);
}

TEST(ScopeTokenTest, SurvivesItsWordAndIsNeverZero) {
  for (const std::uint32_t depth :
       {0U, 1U, TagScopes::kDeepest, ScopeToken::kUnlisted}) {
    for (const std::uint32_t tag : {0U, 1U, ledger::kMaxTags - 1}) {
      const std::uint32_t word = ScopeToken{depth, tag}.Pack();
      EXPECT_NE(word, 0U);
      EXPECT_EQ(ScopeToken::Unpack(word).outer_depth, depth);
      EXPECT_EQ(ScopeToken::Unpack(word).outer_tag, tag);
    }
  }
}

}  // namespace
}  // namespace heapledger::preload
