// SPDX-License-Identifier: Apache-2.0
#include "collector/tags/tagger.h"

#include <gtest/gtest.h>

#include "collector/ledger/tag_accounts.h"
#include "tests/unit/collector/ledger/fake_names.h"

namespace heapledger::collector {
namespace {

using testing::FakeNames;
using testing::SnapshotMaker;

TagRule Rule(const std::string& tag, const std::string& function,
             TagMatch match = TagMatch::kAny) {
  TagRule rule;
  rule.tag.name = tag;
  rule.function = function;
  rule.match = match;
  return rule;
}

std::shared_ptr<const TagRules> Rules(std::vector<TagRule> rules) {
  auto compiled = TagRules::Compile(std::move(rules));
  EXPECT_TRUE(compiled.ok()) << compiled.status();
  return *compiled;
}

// Functions are f1, f2, … by pc; 99 is plumbing.
class TaggerTest : public ::testing::Test {
 protected:
  TaggerTest() {
    ResolvedFrame plumbing;
    plumbing.function = "malloc";
    names_.by_pc[99] = {plumbing};
  }

  std::uint32_t Add(const std::vector<std::uint64_t>& pcs,
                    std::uint64_t bytes = 1) {
    const auto callsite = maker_.AddCallsite(pcs);
    maker_.counters(callsite).allocated_bytes = bytes;
    maker_.counters(callsite).allocated_objects = 1;
    return callsite;
  }

  static std::string TextOf(const LedgerSnapshot& snapshot,
                            std::uint32_t callsite) {
    const std::uint32_t tag = snapshot.callsites()[callsite].tag;
    return tag == kUntagged ? "" : snapshot.tables->tags.at(tag).Text();
  }

  SnapshotMaker maker_;
  FakeNames names_;
};

TEST_F(TaggerTest, TheFirstRuleThatFitsAnyFrameGivesTheTag) {
  const auto inner = Add({1, 2, 3});
  const auto outer = Add({4, 5, 3});
  const auto none = Add({6});
  Tagger tagger(Rules({Rule("two", "^f2$"), Rule("three", "^f3$")}), &names_);
  const auto tagged = tagger.Apply(maker_.At(1));
  EXPECT_EQ(TextOf(*tagged, inner), "two");
  EXPECT_EQ(TextOf(*tagged, outer), "three");
  EXPECT_EQ(TextOf(*tagged, none), "");
  EXPECT_EQ(tagged->totals, maker_.At(1)->totals);
}

TEST_F(TaggerTest, InnermostIsTheFrameThatNamesTheCallsite) {
  const auto named = Add({99, 1, 2});
  const auto deeper = Add({99, 2, 1});
  Tagger tagger(Rules({Rule("one", "^f1$", TagMatch::kInnermost)}), &names_);
  const auto tagged = tagger.Apply(maker_.At(1));
  EXPECT_EQ(TextOf(*tagged, named), "one");
  EXPECT_EQ(TextOf(*tagged, deeper), "");
}

TEST_F(TaggerTest, AProgramsOwnTagComesFirst) {
  maker_.tables().tags = {{"own", {}}};
  const auto own = Add({1});
  maker_.callsite(own).tag = 0;
  const auto other = Add({1, 2});
  Tagger tagger(Rules({Rule("rule", "^f1$")}), &names_);
  auto snapshot = std::make_shared<LedgerSnapshot>(*maker_.At(1));
  snapshot->scopes = {{4, 1}};
  const auto tagged = tagger.Apply(snapshot);
  EXPECT_EQ(TextOf(*tagged, own), "own");
  EXPECT_EQ(TextOf(*tagged, other), "rule");
  EXPECT_EQ(tagged->scopes.at(0), (ScopeCounts{4, 1}));
}

TEST_F(TaggerTest, IndexesStayWhenTablesGrow) {
  maker_.tables().tags = {{"own", {}}};
  const auto first = Add({1});
  Tagger tagger(Rules({Rule("rule", "^f1$"), Rule("late", "^f7$")}), &names_);
  const auto before = tagger.Apply(maker_.At(1));
  const std::uint32_t index = before->callsites()[first].tag;
  maker_.tables().tags.push_back({"another", {}});
  const auto another = Add({2});
  maker_.callsite(another).tag = 1;
  const auto late = Add({7});
  auto snapshot = std::make_shared<LedgerSnapshot>(*maker_.At(2));
  snapshot->scopes = {{1, 0}, {9, 0}};
  const int lookups = names_.lookups;
  const auto after = tagger.Apply(snapshot);
  EXPECT_EQ(names_.lookups, lookups + 2) << "of new frames alone";
  EXPECT_EQ(after->callsites()[first].tag, index);
  EXPECT_EQ(TextOf(*after, another), "another");
  EXPECT_EQ(TextOf(*after, late), "late");
  EXPECT_EQ(after->scopes.at(after->callsites()[another].tag),
            (ScopeCounts{9, 0}));
}

TEST_F(TaggerTest, RulesForOtherProgramsDoNothing) {
  const auto callsite = Add({1});
  TagRule rule = Rule("rule", "f1");
  rule.processes = {"elsewhere"};
  Tagger tagger(Rules({rule}), &names_);
  EXPECT_EQ(TextOf(*tagger.Apply(maker_.At(1)), callsite), "");
}

TEST_F(TaggerTest, AProgramIsMeantByItsFileOrItsOwnName) {
  const auto callsite = Add({1});
  TagRule rule = Rule("rule", "f1");
  rule.processes = {"server"};
  auto snapshot = std::make_shared<LedgerSnapshot>(*maker_.At(1));
  snapshot->identity.exe = "/usr/bin/multicall";
  snapshot->identity.comm = "server";
  Tagger tagger(Rules({rule}), &names_);
  EXPECT_EQ(TextOf(*tagger.Apply(snapshot), callsite), "rule");
}

TEST_F(TaggerTest, WithoutRulesNothingIsCopied) {
  const auto snapshot = maker_.At(1);
  EXPECT_EQ(Tagger(nullptr, &names_).Apply(snapshot), snapshot);
  EXPECT_EQ(Tagger(Rules({}), &names_).Apply(snapshot), snapshot);
}

}  // namespace
}  // namespace heapledger::collector
