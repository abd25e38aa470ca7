// SPDX-License-Identifier: Apache-2.0
#include "collector/gate/judge.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/collector/gate/round_maker.h"

namespace heapledger::collector::gate {
namespace {

using std::chrono::day;
using std::chrono::month;
using std::chrono::year;
using testing::Image;
using testing::Leak;
using testing::RoundOf;

constexpr Day kToday{year(2026), month(11), day(22)};

class JudgeTest : public ::testing::Test {
 protected:
  Judgement Of(const std::vector<Round>& rounds) {
    return Judge(rounds, policy_, suppressions_, baseline_, kToday);
  }
  void Suppress(const std::string& text) {
    ASSERT_TRUE(suppressions_.Add(text, "x.supp").ok());
  }

  Policy policy_;
  Suppressions suppressions_;
  Baseline baseline_;
};

// Live, and a pointer to it somewhere.
Finding Reachable(std::uint64_t callsite, Amount live) {
  Finding finding = Leak(callsite, "cache", {});
  finding.live = live;
  return finding;
}

TEST_F(JudgeTest, PassesWhatLeavesNothingBehind) {
  const Judgement judgement = Of({RoundOf({})});
  EXPECT_EQ(judgement.verdict, Verdict::kPass);
  EXPECT_EQ(judgement.program_status, 0);
  EXPECT_EQ(judgement.judged_images(), 1U);
  ASSERT_EQ(judgement.budgets.size(), 1U);
  EXPECT_FALSE(judgement.budgets[0].exceeded());
}

TEST_F(JudgeTest, HoldsWhatIsLeftUnderATagToItsBudget) {
  Round round = RoundOf({});
  round.tags["tenant=acme"] = {"tenant", {700, 7}};
  round.tags["tenant=other"] = {"tenant", {400, 4}};
  policy_.max_tag_live_bytes = {
      {"tenant", 1100}, {"tenant=acme", 699}, {"cache", 0}};
  const Judgement judgement = Of({round});
  EXPECT_EQ(judgement.verdict, Verdict::kLeak);
  ASSERT_EQ(judgement.budgets.size(), 4U);
  EXPECT_EQ(judgement.budgets[1].name, "max-tag-live cache");
  EXPECT_EQ(judgement.budgets[1].value, 0U);
  EXPECT_EQ(judgement.budgets[2].value, 1100U);
  EXPECT_FALSE(judgement.budgets[2].exceeded());
  EXPECT_EQ(judgement.budgets[3].name, "max-tag-live tenant=acme");
  EXPECT_TRUE(judgement.budgets[3].exceeded());
  // Of the best round, as all budgets.
  EXPECT_EQ(Of({round, RoundOf({})}).verdict, Verdict::kPass);
}

TEST_F(JudgeTest, FailsOnAnyUnreachableBlockEvenOfNoBytes) {
  const Judgement bytes = Of({RoundOf({Leak(1, "f", {64, 1}, {32, 2})})});
  EXPECT_EQ(bytes.verdict, Verdict::kLeak);
  ASSERT_EQ(bytes.findings.size(), 1U);
  EXPECT_EQ(bytes.findings[0].amount, (Amount{96, 3}));
  EXPECT_EQ(bytes.findings[0].state, FindingState::kNew);
  EXPECT_EQ(Of({RoundOf({Leak(1, "f", {0, 1})})}).verdict, Verdict::kLeak);
}

TEST_F(JudgeTest, TellsReachableMemoryAndLetsItPass) {
  const Judgement judgement = Of({RoundOf({Reachable(1, {500, 5})})});
  EXPECT_EQ(judgement.verdict, Verdict::kPass);
  EXPECT_TRUE(judgement.findings.empty());
  EXPECT_EQ(judgement.reachable, (Amount{500, 5}));
  policy_.tell_reachable = false;
  EXPECT_EQ(Of({RoundOf({Reachable(1, {500, 5})})}).reachable, Amount{});
}

TEST_F(JudgeTest, CountsWhateverIsLiveIfAskedTo) {
  policy_.judged = Judged::kAllLive;
  const Judgement judgement =
      Of({RoundOf({Reachable(1, {500, 5}), Leak(2, "f", {10, 1})})});
  EXPECT_EQ(judgement.verdict, Verdict::kLeak);
  ASSERT_EQ(judgement.findings.size(), 2U);
  EXPECT_EQ(judgement.findings[0].evidence, Evidence::kLive);
  EXPECT_EQ(judgement.findings[1].evidence, Evidence::kUnreachable);
  EXPECT_EQ(judgement.budgets[0].value, 510U);
}

TEST_F(JudgeTest, AllowsWhatTheBudgetAllows) {
  policy_.max_leaked_bytes = 100;
  EXPECT_EQ(Of({RoundOf({Leak(1, "f", {100, 1})})}).verdict, Verdict::kPass);
  EXPECT_EQ(
      Of({RoundOf({Leak(1, "f", {60, 1}), Leak(2, "g", {41, 1})})}).verdict,
      Verdict::kLeak);
}

TEST_F(JudgeTest, SuppressesByTheFirstRuleThatFits) {
  Suppress("leak:nobody\nleak:^f$\nleak:main\n");
  const Judgement judgement =
      Of({RoundOf({Leak(1, "f", {10, 1}), Leak(2, "g", {5, 1})})});
  EXPECT_EQ(judgement.verdict, Verdict::kPass);
  EXPECT_EQ(judgement.Count(FindingState::kSuppressed), 2U);
  EXPECT_EQ(judgement.covered[1], (Amount{10, 1}));
  EXPECT_EQ(judgement.covered[2], (Amount{5, 1}));
  ASSERT_EQ(judgement.unused_rules.size(), 1U);
  EXPECT_EQ(judgement.unused_rules[0].pattern, "nobody");
  EXPECT_TRUE(judgement.expired_rules.empty());
}

TEST_F(JudgeTest, ExpiredRulesCoverNothingAndAreListed) {
  Suppress("# expires=2026-11-21\nleak:^f$\n# expires=2020-01-01\nleak:none\n");
  const Judgement judgement = Of({RoundOf({Leak(1, "f", {10, 1})})});
  EXPECT_EQ(judgement.verdict, Verdict::kLeak);
  ASSERT_EQ(judgement.expired_rules.size(), 1U);
  EXPECT_EQ(judgement.expired_rules[0].pattern, "^f$");
  ASSERT_EQ(judgement.unused_rules.size(), 1U);
  EXPECT_EQ(judgement.unused_rules[0].pattern, "none");
}

TEST_F(JudgeTest, ARuleCoversNoMoreThanItsMaximumInAll) {
  Suppress("# max=15\nleak:main\n");
  EXPECT_EQ(
      Of({RoundOf({Leak(1, "f", {10, 1}), Leak(2, "g", {5, 1})})}).verdict,
      Verdict::kPass);
  const Judgement judgement =
      Of({RoundOf({Leak(1, "f", {10, 1}), Leak(2, "g", {6, 1})})});
  EXPECT_EQ(judgement.verdict, Verdict::kLeak);
  EXPECT_EQ(judgement.Count(FindingState::kNew), 2U);
  EXPECT_EQ(judgement.findings[0].too_much, 0U);
  EXPECT_FALSE(judgement.findings[0].rule.has_value());
  EXPECT_TRUE(judgement.unused_rules.empty());
}

TEST_F(JudgeTest, KnowsTheBaselineAndWhatIsFixed) {
  baseline_[Fingerprint(1)] = {{4, 1}, "f", "leak.c:12"};
  baseline_[Fingerprint(9)] = {{7, 1}, "old", "old.c:1"};
  const Judgement judgement =
      Of({RoundOf({Leak(1, "f", {10, 1}), Leak(2, "g", {5, 1})})});
  EXPECT_EQ(judgement.verdict, Verdict::kLeak);
  EXPECT_EQ(judgement.Count(FindingState::kKnown), 1U);
  EXPECT_EQ(judgement.Sum(FindingState::kNew), (Amount{5, 1}));
  ASSERT_EQ(judgement.fixed.size(), 1U);
  EXPECT_EQ(judgement.fixed[0].second.function, "old");
  const Baseline updated = BaselineOf(judgement);
  EXPECT_EQ(updated.size(), 2U);
  EXPECT_EQ(updated.at(Fingerprint(1)).amount, (Amount{10, 1}));
  baseline_ = updated;
  EXPECT_EQ(
      Of({RoundOf({Leak(1, "f", {10, 1}), Leak(2, "g", {5, 1})})}).verdict,
      Verdict::kPass);
}

TEST_F(JudgeTest, CallsNothingFixedThatNobodyLookedAt) {
  baseline_[Fingerprint(9)] = {{7, 1}, "old", "old.c:1"};
  Round round = RoundOf({});
  round.missing.push_back({7, "static", "no shim"});
  EXPECT_TRUE(Of({round}).fixed.empty());
}

TEST_F(JudgeTest, JudgesOnlyWhatEveryRoundLeaked) {
  const Round both =
      RoundOf({Leak(1, "f", {10, 2}), Leak(2, "sometimes", {99, 1})});
  const Round one = RoundOf({Leak(1, "f", {8, 1})});
  const Judgement judgement = Of({both, one, both});
  EXPECT_EQ(judgement.verdict, Verdict::kLeak);
  ASSERT_EQ(judgement.findings.size(), 2U);
  EXPECT_EQ(judgement.findings[0].amount, (Amount{8, 1}));
  EXPECT_EQ(judgement.findings[0].rounds, 3U);
  EXPECT_EQ(judgement.findings[1].state, FindingState::kUnsteady);
  EXPECT_EQ(judgement.findings[1].rounds, 2U);
  EXPECT_EQ(Of({RoundOf({Leak(2, "s", {9, 1})}), RoundOf({})}).verdict,
            Verdict::kPass);
}

TEST_F(JudgeTest, GrowthCountsWhereEveryRoundLeftMore) {
  policy_.max_growth_bytes = 0;
  const auto round = [](std::uint64_t steady, std::uint64_t sawtooth) {
    return RoundOf({Reachable(1, {steady, steady / 10}),
                    Reachable(2, {sawtooth, 1}), Reachable(3, {500, 5})});
  };
  const Judgement grown = Of({round(10, 5), round(20, 50), round(40, 20)});
  EXPECT_EQ(grown.verdict, Verdict::kLeak);
  ASSERT_EQ(grown.findings.size(), 1U);
  EXPECT_EQ(grown.findings[0].evidence, Evidence::kGrowth);
  EXPECT_EQ(grown.findings[0].amount, (Amount{30, 3}));
  EXPECT_EQ(Of({round(10, 5), round(10, 50), round(40, 60)}).findings.size(),
            1U);
  EXPECT_EQ(Of({round(10, 5), round(10, 4)}).verdict, Verdict::kPass);
  policy_.max_growth_bytes = 30;
  EXPECT_EQ(Of({round(10, 5), round(20, 50), round(40, 20)}).verdict,
            Verdict::kPass);
}

TEST_F(JudgeTest, GrowthOfOneRoundIsAllThatItLeft) {
  policy_.max_growth_bytes = 499;
  const Judgement judgement = Of({RoundOf({Reachable(1, {500, 5})})});
  EXPECT_EQ(judgement.verdict, Verdict::kLeak);
  EXPECT_EQ(judgement.budgets[1].value, 500U);
}

TEST_F(JudgeTest, HoldsPeakAndAllocationsToTheirBudgets) {
  policy_.max_peak_bytes = 9'999;
  policy_.max_allocations = 199;
  Round round = RoundOf({});
  round.images.push_back(Image("helper"));
  Judgement judgement = Of({round});
  EXPECT_EQ(judgement.verdict, Verdict::kLeak);
  ASSERT_EQ(judgement.budgets.size(), 3U);
  EXPECT_EQ(judgement.budgets[1].value, 10'000U);
  EXPECT_EQ(judgement.budgets[2].value, 200U);
  // A round within them will do.
  Round small = RoundOf({});
  small.images[0].peak_bytes = 1;
  judgement = Of({round, small});
  EXPECT_EQ(judgement.verdict, Verdict::kPass);
}

TEST_F(JudgeTest, WhatIsNotMeasuredIsNoPass) {
  Round round = RoundOf({});
  round.images.push_back(Image("crasher"));
  round.images[1].fate = ImageFate::kNotJudged;
  round.images[1].why = "killed";
  round.images.push_back(Image("shell"));
  round.images[2].fate = ImageFate::kReplaced;
  round.missing.push_back({7, "static", "no shim"});
  Judgement judgement = Of({round, round});
  EXPECT_EQ(judgement.verdict, Verdict::kNotMeasured);
  EXPECT_EQ(judgement.unmeasured.size(), 2U);
  EXPECT_EQ(judgement.judged_images(), 1U);
  policy_.allow_unmeasured = true;
  judgement = Of({round});
  EXPECT_EQ(judgement.verdict, Verdict::kPass);
  EXPECT_EQ(judgement.unmeasured.size(), 2U);
}

TEST_F(JudgeTest, AProvenLeakOutweighsWhatIsNotMeasured) {
  Round round = RoundOf({Leak(1, "f", {10, 1})});
  round.missing.push_back({7, "static", "no shim"});
  EXPECT_EQ(Of({round}).verdict, Verdict::kLeak);
}

TEST_F(JudgeTest, KeepsTheProgramsOwnStatus) {
  Round failed = RoundOf({});
  failed.program_status = 139;
  EXPECT_EQ(Of({failed}).program_status, 139);
  EXPECT_EQ(Of({failed, RoundOf({})}).program_status, 139);
}

}  // namespace
}  // namespace heapledger::collector::gate
