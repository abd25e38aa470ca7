// SPDX-License-Identifier: Apache-2.0
#include "collector/tags/tag_rules.h"

#include <gtest/gtest.h>

namespace heapledger::collector {
namespace {

TagRule Rule(const std::string& tag, const std::string& function,
             const std::string& module = "", const std::string& file = "") {
  TagRule rule;
  rule.tag.name = tag;
  rule.function = function;
  rule.module = module;
  rule.file = file;
  return rule;
}

ResolvedFrame Frame(const std::string& function, const std::string& module,
                    const std::string& file = "") {
  ResolvedFrame frame;
  frame.function = function;
  frame.module = module;
  frame.file = file;
  return frame;
}

TEST(TagRulesTest, AllPatternsOfARuleMustFitTheFrame) {
  const auto rules = TagRules::Compile({Rule("a", "^dict", "redis"),
                                        Rule("b", "", "", R"(/dict\.c$)"),
                                        Rule("c", "Create|Add")});
  ASSERT_TRUE(rules.ok()) << rules.status();
  EXPECT_EQ((*rules)->Fitting(Frame("dictAdd", "redis-server", "src/dict.c")),
            7U);
  EXPECT_EQ((*rules)->Fitting(Frame("dictAdd", "other", "src/dict.cc")), 4U);
  EXPECT_EQ((*rules)->Fitting(Frame("_dictExpand", "redis-server")), 0U);
}

TEST(TagRulesTest, AreMeantForSomeProgramsOrForAll) {
  TagRule some = Rule("some", "x");
  some.processes = {"redis-server", "worker"};
  const auto rules = TagRules::Compile({some, Rule("all", "x")});
  ASSERT_TRUE(rules.ok());
  EXPECT_EQ((*rules)->Of("worker"), 3U);
  EXPECT_EQ((*rules)->Of("workers"), 2U);
}

TEST(TagRulesTest, RefusesWhatIsNoPatternAndTooMany) {
  const auto bad = TagRules::Compile({Rule("a", "(")});
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.status().message(),
            "the pattern '(' of tag a cannot be read: missing ): (; write it "
            "as RE2 has it");
  EXPECT_FALSE(
      TagRules::Compile(std::vector<TagRule>(65, Rule("a", "b"))).ok());
  EXPECT_TRUE(TagRules::Compile(std::vector<TagRule>(64, Rule("a", "b"))).ok());
}

}  // namespace
}  // namespace heapledger::collector
