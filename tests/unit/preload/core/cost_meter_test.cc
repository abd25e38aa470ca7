// SPDX-License-Identifier: Apache-2.0
#include "preload/core/cost_meter.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/support/no_alloc_guard.h"

namespace heapledger::preload {
namespace {

// A thread that allocates at a steady rate. Times are in ticks.
class CostMeterTest : public ::testing::Test {
 protected:
  CostMeterTest() {
    std::memset(static_cast<void*>(&meter_), 0, sizeof meter_);
  }

  // `apart`: from one allocation to the next, of which one in `every` is walked
  // and the others are cut.
  void Run(int allocations, std::uint64_t apart, std::uint64_t walk,
           int every = 1) {
    const testing::NoAllocGuard guard;
    for (int i = 0; i < allocations; ++i) {
      now_ += apart;
      if (i % every != 0) {
        ++cut_;
      } else if (meter_.WantsTiming()) {
        meter_.Timed(now_, now_ + walk, cut_, kBudgetPercent);
      }
    }
  }

  static constexpr std::uint32_t kBudgetPercent = 5;
  CostMeter meter_;
  std::uint64_t now_ = 1ULL << 40;
  std::uint64_t cut_ = 0;
};

TEST_F(CostMeterTest, MeasuresTheShareOfTimeThatWalksTake) {
  Run(200000, 1000, 30);
  EXPECT_NEAR(static_cast<double>(meter_.share_permille()), 30, 1);
  EXPECT_FALSE(meter_.exceeded());
}

TEST_F(CostMeterTest, SaysSoWhenTheBudgetIsExceeded) {
  Run(200000, 1000, 60);
  EXPECT_NEAR(static_cast<double>(meter_.share_permille()), 60, 1);
  EXPECT_TRUE(meter_.exceeded());
}

TEST_F(CostMeterTest, StaysExceededWhileCuttingIsWhatKeepsTheCostLow) {
  Run(200000, 1000, 100);
  ASSERT_TRUE(meter_.exceeded());
  Run(4000000, 1000, 100, 20);
  EXPECT_NEAR(static_cast<double>(meter_.share_permille()), 100, 3);
  EXPECT_TRUE(meter_.exceeded());
}

TEST_F(CostMeterTest, IsContentAgainOnlyBelowHalfTheBudget) {
  Run(200000, 1000, 60);
  Run(200000, 1000, 30);
  EXPECT_TRUE(meter_.exceeded());
  Run(200000, 1000, 20);
  EXPECT_FALSE(meter_.exceeded());
  Run(200000, 1000, 30);
  EXPECT_FALSE(meter_.exceeded());
}

TEST_F(CostMeterTest, DoesNotTakeAnInterruptionForAWalk) {
  Run(100000, 1000, 20);
  // Off the processor for 4 ms, in the middle of a timed walk of each window.
  for (int window = 0; window < 10; ++window) {
    Run(33000, 1000, 20);
    meter_.Timed(now_, now_ + 10000000, cut_, kBudgetPercent);
    now_ += 10000000;
    EXPECT_FALSE(meter_.exceeded()) << window;
  }
}

TEST_F(CostMeterTest, DoesNotMindABurst) {
  Run(2000, 150, 100);
  EXPECT_FALSE(meter_.exceeded());
  now_ += 1000000000;
  Run(2000, 150, 100);
  EXPECT_FALSE(meter_.exceeded());
}

TEST_F(CostMeterTest, SurvivesACounterThatGoesBack) {
  Run(200000, 1000, 60);
  now_ -= 150000000;
  Run(200, 1000, 60);
  EXPECT_TRUE(meter_.exceeded());
  Run(200000, 1000, 10);
  EXPECT_FALSE(meter_.exceeded());
}

TEST_F(CostMeterTest, WithoutABudgetIsAlwaysOverIt) {
  for (int i = 0; i < 64; ++i) {
    meter_.Timed(now_, now_ + 1, 0, 0);
    now_ += 1ULL << 25;
  }
  EXPECT_TRUE(meter_.exceeded());
}

TEST_F(CostMeterTest, TimesOneWalkInSixtyFour) {
  int timed = 0;
  for (int i = 0; i < 6400; ++i) timed += meter_.WantsTiming() ? 1 : 0;
  EXPECT_EQ(timed, 100);
}

}  // namespace
}  // namespace heapledger::preload
