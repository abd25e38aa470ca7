// SPDX-License-Identifier: Apache-2.0
#include "collector/profile/difference.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "tests/unit/collector/profile/heap_maker.h"

namespace heapledger::collector {
namespace {

using testing::Function;
using testing::HeapMaker;

// live bytes after less before, by function.
std::map<std::string, std::int64_t> ByFunction(const Profile& profile) {
  std::map<std::string, std::int64_t> result;
  for (const ProfileSample& sample : profile.samples) {
    result[sample.name.function] += sample.values.live_bytes;
  }
  return result;
}

TEST(DifferenceTest, SubtractsWithinOneLife) {
  HeapMaker heap;
  const auto main = heap.AddFrame("main");
  const auto f = heap.AddCallsite({heap.AddFrame("f"), main}, 100, 10);
  heap.AddCallsite({heap.AddFrame("same"), main}, 7, 1);
  heap.AddCallsite({heap.AddFrame("never"), main}, 0, 0);
  const Profile before = heap.Make();
  heap.Free(f, 40, 4);
  heap.AddCallsite({heap.AddFrame("fresh"), main}, 9, 1);
  const Profile after = heap.Make();
  const std::vector<Profile> both = {before, after};
  EXPECT_EQ(MatchOf(both), MatchedBy::kPcs);
  const Profile difference = Difference(both);
  EXPECT_TRUE(difference.is_difference);
  EXPECT_EQ(ByFunction(difference),
            (std::map<std::string, std::int64_t>{
                {"f", -40}, {"fresh", 9}, {"same", 0}}));
  EXPECT_EQ(difference.totals, after.totals - before.totals);
  EXPECT_EQ(difference.before_totals, before.totals);
  EXPECT_EQ(difference.samples[0].after().live_bytes, 60);
  EXPECT_EQ(difference.compared.size(), 1U);
}

TEST(DifferenceTest, MatchesTwoRunsOfOneBuildByTheirRelativePcs) {
  // Two callsites of one fingerprint, as their pcs lie in the same functions.
  const auto run = [](std::uint64_t lineage, std::uint64_t bias,
                      std::uint64_t bytes) {
    HeapMaker heap(lineage);
    heap.module().load_bias = bias;
    const auto main = heap.AddFrame("main");
    heap.AddCallsite({heap.AddFrame({Function("f", "f.c", 1)}), main}, bytes,
                     1);
    heap.AddCallsite({heap.AddFrame({Function("f", "f.c", 2)}), main}, 5, 1);
    return heap.Make();
  };
  const std::vector<Profile> runs = {run(1, 0x10000, 100),
                                     run(2, 0x7000000, 130)};
  ASSERT_EQ(MatchOf(runs), MatchedBy::kBuildIds);
  const Profile difference = Difference(runs);
  ASSERT_EQ(difference.samples.size(), 2U);
  EXPECT_EQ(difference.samples[0].values.live_bytes, 30);
  EXPECT_EQ(difference.samples[1].values.live_bytes, 0);
}

TEST(DifferenceTest, MatchesTwoBuildsByFingerprint) {
  const auto build = [](std::uint64_t lineage, const char* build_id,
                        std::size_t shift, std::uint64_t bytes) {
    HeapMaker heap(lineage);
    heap.module().build_id = build_id;
    for (std::size_t i = 0; i < shift; ++i) heap.AddFrame("moved");
    const auto main = heap.AddFrame("main");
    heap.AddCallsite({heap.AddFrame("f"), main}, bytes, 1);
    heap.AddCallsite({heap.AddFrame("f"), main}, bytes, 1);
    heap.AddCallsite({heap.AddFrame(shift == 0 ? "old" : "new"), main}, 8, 1);
    return heap.Make();
  };
  const std::vector<Profile> builds = {build(1, "one", 0, 10),
                                       build(2, "two", 3, 17)};
  ASSERT_EQ(MatchOf(builds), MatchedBy::kFingerprints);
  const Profile difference = Difference(builds);
  EXPECT_EQ(ByFunction(difference), (std::map<std::string, std::int64_t>{
                                        {"f", 14}, {"new", 8}, {"old", -8}}));
  // What is gone has its stack from the first.
  for (const ProfileSample& sample : difference.samples) {
    const ResolvedPc& inner =
        *difference.locations[difference.stack(sample).front()].names;
    EXPECT_EQ(inner.front().function, sample.name.function);
  }
}

TEST(DifferenceTest, DoesNotTakeACutStackForAWholeOne) {
  HeapMaker heap;
  const auto f = heap.AddFrame("f");
  heap.AddCallsite({f}, 10, 1);
  heap.callsite(heap.AddCallsite({f}, 20, 1)).cut = true;
  const Profile profile = heap.Make();
  EXPECT_EQ(Difference(profile, profile).samples.size(), 2U);
}

TEST(DifferenceTest, OfAHeapWithItselfIsZero) {
  const Profile profile = testing::RandomHeap(5, 300, 12).Make();
  const Profile difference = Difference(profile, profile);
  EXPECT_TRUE(difference.totals.all_zero());
  for (const ProfileSample& sample : difference.samples) {
    EXPECT_TRUE(sample.values.all_zero());
  }
}

class CompareTest : public ::testing::Test {
 protected:
  // Four moments: grower rises each time, saw falls once, dies goes to none.
  CompareTest() {
    const auto main = heap_.AddFrame("main");
    const auto grower = heap_.AddCallsite({heap_.AddFrame("grower"), main});
    const auto saw = heap_.AddCallsite({heap_.AddFrame("saw"), main}, 50, 5);
    const auto dies = heap_.AddCallsite({heap_.AddFrame("dies"), main}, 30, 3);
    heap_.AddCallsite({heap_.AddFrame("still"), main}, 4, 1);
    moments_.push_back(heap_.Make());
    for (int i = 0; i < 3; ++i) {
      heap_.Allocate(grower, 10, 1);
      if (i == 1) heap_.Free(saw, 20, 2);
      if (i != 1) heap_.Allocate(saw, 30, 3);
      if (i == 2) heap_.Free(dies, 30, 3);
      moments_.push_back(heap_.Make());
    }
  }

  HeapMaker heap_;
  std::vector<Profile> moments_;
};

TEST_F(CompareTest, ClassifiesEachCallsiteAndFindsWhatGrewEveryTime) {
  const Comparison comparison = Compare(moments_);
  std::map<std::string, std::string> classes;
  std::vector<std::string> grew;
  for (const ComparisonRow& row : comparison.rows) {
    classes[row.name.function] = ChangeWord(row.change);
    if (row.grew_in_all) grew.push_back(row.name.function);
    ASSERT_EQ(row.values.size(), 4U);
  }
  EXPECT_EQ(classes, (std::map<std::string, std::string>{{"dies", "gone"},
                                                         {"grower", "new"},
                                                         {"saw", "grown"},
                                                         {"still", "same"}}));
  EXPECT_EQ(grew, std::vector<std::string>{"grower"});
  EXPECT_EQ(comparison.rows[0].name.function, "saw");  // by 40, the most
  for (std::size_t i = 0; i < moments_.size(); ++i) {
    ProfileValues sum;
    for (const ComparisonRow& row : comparison.rows) sum += row.values[i];
    EXPECT_EQ(sum, moments_[i].totals);
    EXPECT_EQ(comparison.totals[i], moments_[i].totals);
  }
}

TEST_F(CompareTest, GroupsByFunctionAndModuleWithTheSameSums) {
  for (const ProfileGroup group :
       {ProfileGroup::kFunction, ProfileGroup::kModule}) {
    const Comparison comparison = Compare(moments_, group);
    EXPECT_EQ(comparison.rows.size(), group == ProfileGroup::kModule ? 1U : 4U);
    ProfileValues sum;
    for (const ComparisonRow& row : comparison.rows) sum += row.values.back();
    EXPECT_EQ(sum, moments_.back().totals);
    EXPECT_EQ(comparison.rows[0].name.module, "prog");
    EXPECT_EQ(comparison.rows[0].callsite, "");
  }
}

TEST_F(CompareTest, TheDifferenceCanKeepWhatGrewEveryTimeAlone) {
  const Profile kept = Difference(moments_, Keep::kGrewInAll);
  ASSERT_EQ(kept.samples.size(), 1U);
  EXPECT_EQ(kept.samples[0].name.function, "grower");
  EXPECT_EQ(kept.totals.live_bytes, 30);
  EXPECT_EQ(kept.compared.size(), 3U);
}

}  // namespace
}  // namespace heapledger::collector
