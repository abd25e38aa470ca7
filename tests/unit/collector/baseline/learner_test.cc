// SPDX-License-Identifier: Apache-2.0
#include "collector/baseline/learner.h"

#include <gtest/gtest.h>

#include <string>

namespace heapledger::collector::baseline {
namespace {

constexpr std::uint64_t kMinuteNs = 60'000'000'000;

class LearnerTest : public ::testing::Test {
 protected:
  void See(std::uint64_t minute, double rss, Growth growth = Growth::kNone,
           std::uint64_t process = 1, const std::string& program = "server") {
    Sample sample;
    sample.realtime_ns = minute * kMinuteNs;
    sample[Quantity::kRssBytes] = rss;
    learner_.Observe(process, program, sample, growth);
  }
  const Period& Learned() { return learner_.baseline().at("server").current; }

  Learner learner_{{.wait_ns = 30 * kMinuteNs,
                    .period_ns = 10'000 * kMinuteNs,
                    .max_programs = 2}};
};

TEST_F(LearnerTest, ASampleCountsAfterItHasWaited) {
  for (std::uint64_t minute = 0; minute < 30; ++minute) See(minute, 100);
  EXPECT_FALSE(learner_.baseline().contains("server"));
  EXPECT_EQ(learner_.states().at("server").waiting, 30U);
  See(30, 100);
  EXPECT_EQ(Learned().samples, 1U);
}

// Six hours at 100; then a leak of 1 a minute, which is noticed after 20.
TEST_F(LearnerTest, ALeakInTheWindowDoesNotBecomeTheBaseline) {
  for (std::uint64_t minute = 0; minute < 360; ++minute) See(minute, 100);
  for (std::uint64_t minute = 360; minute < 720; ++minute) {
    See(minute, 100 + static_cast<double>(minute - 360),
        minute < 380 ? Growth::kNone : Growth::kSuspected);
  }
  EXPECT_TRUE(learner_.states().at("server").frozen);
  learner_.AdmitAll();
  EXPECT_EQ(Learned().all[0].max(), 100) << "not one sample of the leak";
  // Only those that waited when it was noticed are lost with it.
  EXPECT_EQ(Learned().samples, 350U);
  EXPECT_EQ(learner_.states().at("server").dropped, 30U + 340U);
}

// The same without a suspicion, as the first collector learned.
TEST_F(LearnerTest, WithoutASuspicionTheLeakWouldBeLearned) {
  for (std::uint64_t minute = 0; minute < 720; ++minute) {
    See(minute, minute < 360 ? 100 : 100 + static_cast<double>(minute - 360));
  }
  EXPECT_GT(Learned().all[0].max(), 400);
}

TEST_F(LearnerTest, LearningGoesOnWhenGrowthIsOver) {
  See(0, 100, Growth::kSuspected);
  for (std::uint64_t minute = 1; minute < 60; ++minute) See(minute, 200);
  EXPECT_FALSE(learner_.states().at("server").frozen);
  EXPECT_EQ(Learned().samples, 29U);
  EXPECT_EQ(Learned().all[0].min(), 200);
}

TEST_F(LearnerTest, AProcessThatEndsHasCountedUnlessItWasKilled) {
  See(0, 100);
  learner_.End(1, Ending::kOrderly);
  EXPECT_EQ(Learned().samples, 1U);
  See(10, 900, Growth::kNone, 2);
  learner_.End(2, Ending::kKilled);
  EXPECT_EQ(Learned().samples, 1U);
  EXPECT_EQ(learner_.states().at("server").waiting, 0U);
}

TEST_F(LearnerTest, OneProcessOfANameMayGrowWithoutTheOthers) {
  for (std::uint64_t minute = 0; minute < 60; ++minute) {
    See(minute, 100, Growth::kNone, 1);
    See(minute, 900, Growth::kSuspected, 2);
  }
  EXPECT_TRUE(learner_.states().at("server").frozen);
  EXPECT_EQ(Learned().samples, 30U);
  EXPECT_EQ(Learned().all[0].max(), 100);
}

TEST_F(LearnerTest, APeriodGivesWayToTheNext) {
  for (std::uint64_t minute = 0; minute < 25'000; minute += 10) {
    See(minute, static_cast<double>(minute));
  }
  const ProgramBaseline& program = learner_.baseline().at("server");
  EXPECT_EQ(program.current.begin_ns, 20'000 * kMinuteNs);
  EXPECT_EQ(program.previous.begin_ns, 10'000 * kMinuteNs);
  EXPECT_EQ(program.previous.samples, 1000U);
}

TEST_F(LearnerTest, ProgramsAreBounded) {
  See(0, 1, Growth::kNone, 1, "a");
  See(0, 1, Growth::kNone, 2, "b");
  See(0, 1, Growth::kNone, 3, "c");
  EXPECT_EQ(learner_.states().size(), 2U);
  EXPECT_EQ(learner_.refused(), 1U);
}

}  // namespace
}  // namespace heapledger::collector::baseline
