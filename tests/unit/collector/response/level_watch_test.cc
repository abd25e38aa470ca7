// SPDX-License-Identifier: Apache-2.0
#include "collector/response/level_watch.h"

#include <gtest/gtest.h>

#include "tests/unit/collector/response/response_fixtures.h"

namespace heapledger::collector::response {
namespace {

using namespace std::chrono_literals;

// 80 and 90 % with dwells of 5 and 2 s.
Rule TwoLevels() {
  return RuleFrom(
      "levels: {medium: {usage: {enter: 80%, leave: 70%}, dwell: 5s},"
      " high: {usage: {enter: 90%, leave: 85%}, dwell: 2s}}");
}

class LevelWatchTest : public ::testing::Test {
 protected:
  Level At(Duration now, double usage, Level alert = Level::kNone) {
    return watch_.Update(now, Usage(usage), alert);
  }

  const Rule rule_ = TwoLevels();
  LevelWatch watch_{rule_};
};

TEST_F(LevelWatchTest, EntersOnceTheConditionHasHeldForItsDwell) {
  EXPECT_EQ(At(0s, 0.8), Level::kNone);
  EXPECT_EQ(At(4999ms, 0.85), Level::kNone);
  EXPECT_EQ(At(5000ms, 0.81), Level::kMedium);
}

TEST_F(LevelWatchTest, ADipBeginsTheDwellAnew) {
  EXPECT_EQ(At(0s, 0.8), Level::kNone);
  EXPECT_EQ(At(3s, 0.79), Level::kNone);
  EXPECT_EQ(At(4s, 0.8), Level::kNone);
  EXPECT_EQ(At(8s, 0.8), Level::kNone);
  EXPECT_EQ(At(9s, 0.8), Level::kMedium);
}

TEST_F(LevelWatchTest, TheHigherLevelDoesNotWaitForTheLower) {
  EXPECT_EQ(At(0s, 0.95), Level::kNone);
  EXPECT_EQ(At(2s, 0.95), Level::kHigh);
}

TEST_F(LevelWatchTest, LeavesAfterTwiceTheDwellBelowTheLowerThreshold) {
  At(0s, 0.82);
  ASSERT_EQ(At(5s, 0.82), Level::kMedium);
  // Between the two thresholds it stays, however long.
  EXPECT_EQ(At(1000s, 0.71), Level::kMedium);
  EXPECT_EQ(At(1001s, 0.69), Level::kMedium);
  EXPECT_EQ(At(1010s, 0.6), Level::kMedium);
  EXPECT_EQ(At(1011s, 0.6), Level::kNone);
}

TEST_F(LevelWatchTest, GoesDownLevelByLevel) {
  At(0s, 0.95);
  At(5s, 0.95);
  ASSERT_EQ(watch_.level(), Level::kHigh);
  EXPECT_EQ(At(6s, 0.5), Level::kHigh);
  EXPECT_EQ(At(10s, 0.5), Level::kMedium);
  EXPECT_EQ(At(15s, 0.5), Level::kMedium);
  EXPECT_EQ(At(16s, 0.5), Level::kNone);
}

TEST_F(LevelWatchTest, AnAlertThatIsOverHoldsNothingUp) {
  // 75 % would hold up a level that usage brought about, not this one.
  At(0s, 0.75, Level::kHigh);
  ASSERT_EQ(At(5s, 0.75, Level::kHigh), Level::kHigh);
  EXPECT_NE(watch_.Why(Usage(0.75)).find("an alert"), std::string::npos);
  EXPECT_EQ(At(6s, 0.75), Level::kHigh);
  EXPECT_EQ(At(10s, 0.75), Level::kMedium);
  EXPECT_EQ(At(16s, 0.75), Level::kNone);
}

TEST_F(LevelWatchTest, WhatIsNotKnownIsNoPressure) {
  At(0s, 0.95);
  ASSERT_EQ(At(2s, 0.95), Level::kHigh);
  EXPECT_EQ(watch_.Update(3s, Reading(), Level::kNone), Level::kHigh);
  EXPECT_EQ(watch_.Update(20s, Reading(), Level::kNone), Level::kNone);
}

TEST_F(LevelWatchTest, SaysWhy) {
  At(0s, 0.831);
  At(5s, 0.831);
  EXPECT_EQ(watch_.Why(Usage(0.831)), "usage 83.1% (from 80.0%)");
}

TEST(LevelWatchOfFallingTest, LessIsWorse) {
  const Rule rule =
      RuleFrom("levels: {critical: {exhaustion: 10m, dwell: 0s}}");
  LevelWatch watch(rule);
  Reading reading;
  reading[Quantity::kExhaustion] = 601;
  EXPECT_EQ(watch.Update(0s, reading, Level::kNone), Level::kNone);
  reading[Quantity::kExhaustion] = 600;
  EXPECT_EQ(watch.Update(1s, reading, Level::kNone), Level::kCritical);
  reading[Quantity::kExhaustion] = 899;
  EXPECT_EQ(watch.Update(2s, reading, Level::kNone), Level::kCritical);
  reading[Quantity::kExhaustion] = 901;
  EXPECT_EQ(watch.Update(3s, reading, Level::kNone), Level::kNone);
}

}  // namespace
}  // namespace heapledger::collector::response
