// SPDX-License-Identifier: Apache-2.0
#include "collector/leaks/reason.h"

#include <gtest/gtest.h>

namespace heapledger::collector {
namespace {

TEST(ReasonTest, SaysWhatGrew) {
  GrowthEvidence growth;
  growth.window_ns = 384 * kSecondNs;
  growth.bytes_per_second = 3276.8;
  growth.rounds = 11;
  growth.rounds_rose = 10;
  EXPECT_EQ(ReasonOf(growth, Figures::kExact),
            "the floor of its live bytes rose in 10 of 11 rounds over "
            "6 min 24 s, by 3.2 KiB/s; 11.2 MiB more in an hour if it goes on "
            "like this");
  growth.window_ns = 2 * 3600 * kSecondNs;
  growth.bytes_per_second = 0.5;
  EXPECT_EQ(ReasonOf(growth, Figures::kEstimated),
            "the floor of its live bytes rose in 10 of 11 rounds over "
            "2 h 00 min, by about 0.5 B/s; about 1.8 KiB more in an hour if it "
            "goes on like this");
}

TEST(ReasonTest, TellsABoundFromAFact) {
  AgeEvidence age;
  age.window_ns = 30 * kSecondNs;
  age.older_than_ns = 7'500'000'000;
  age.allocated_objects = age.kept_objects = 500;
  age.older_objects = 400;
  age.older_bytes = 51'200;
  EXPECT_EQ(ReasonOf(age, Figures::kExact),
            "none of the 500 blocks allocated in the last 30 s was freed; at "
            "least 400 blocks (50.0 KiB) are older than 7.5 s");
  age.freed_objects = 7;
  age.kept_objects = 493;
  EXPECT_EQ(ReasonOf(age, Figures::kExact),
            "of 500 blocks allocated in the last 30 s at least 493 are live, "
            "as only 7 of any age were freed; at least 400 blocks (50.0 KiB) "
            "are older than 7.5 s");
  EXPECT_TRUE(ReasonOf(age, Figures::kEstimated).starts_with("by estimate"));
}

TEST(ReasonTest, TellsWhatNothingPointsTo) {
  UnreachableEvidence lost;
  lost.counts = {2048, 2, 0, 0};
  lost.pause_ns = 3'400'000;
  EXPECT_EQ(ReasonOf(lost),
            "nothing points to 2 blocks (2.0 KiB), by a scan that held the "
            "program up for 3.4 ms");
  lost.counts = {64, 1, 1024, 10};
  lost.at_exit = true;
  EXPECT_EQ(ReasonOf(lost),
            "nothing points to 1 block (64 B), and to nothing but these from "
            "10 blocks (1.0 KiB), when the program ended");
}

}  // namespace
}  // namespace heapledger::collector
