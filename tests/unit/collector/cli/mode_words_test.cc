// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/mode_words.h"

#include <gtest/gtest.h>

namespace heapledger::collector::cli {
namespace {

LedgerSnapshot Exact() {
  LedgerSnapshot snapshot;
  snapshot.mode = MeasureMode::kExact;
  snapshot.stack_detail = StackDetail::kFull;
  snapshot.state = ProcessState::kLive;
  snapshot.identity.pid = 42;
  snapshot.totals.allocated_bytes = 1000;
  return snapshot;
}

TEST(ModeWordsTest, HasNothingToSayOfAnExactProcess) {
  EXPECT_EQ(AboutSign(Exact()), "");
  EXPECT_EQ(ModeLines(Exact()), "");
  EXPECT_EQ(ModeRemarks(Exact()), "");
  EXPECT_EQ(StacksText(Exact()), "full stacks");
}

TEST(ModeWordsTest, CallsEstimatesByTheirName) {
  LedgerSnapshot snapshot = Exact();
  snapshot.mode = MeasureMode::kSampled;
  snapshot.sample_bytes = 524288;
  EXPECT_EQ(AboutSign(snapshot), "~");
  EXPECT_EQ(ModeLines(snapshot),
            "estimates: sampled, one sample per 512.0 KiB on average\n");
  EXPECT_EQ(ModeRemarks(snapshot),
            "; estimated from one sample per 512.0 KiB on average");
}

TEST(ModeWordsTest, GivesTheShareOfCutStacks) {
  LedgerSnapshot snapshot = Exact();
  snapshot.stack_detail = StackDetail::kAdaptive;
  snapshot.budget_percent = 3;
  snapshot.cut.allocated_bytes = 125;
  EXPECT_EQ(StacksText(snapshot), "adaptive stacks (budget 3%)");
  EXPECT_EQ(ModeRemarks(snapshot),
            "; 12.5% of the live bytes lack their outer frames (adaptive "
            "depth)");
  snapshot.totals = snapshot.cut = {};
  EXPECT_EQ(ModeRemarks(snapshot), "") << "no share of nothing";
}

TEST(ModeWordsTest, SaysHowToArmOnlyWhatRuns) {
  LedgerSnapshot snapshot = Exact();
  snapshot.mode = MeasureMode::kDormant;
  EXPECT_EQ(ModeLines(snapshot),
            "dormant: nothing was measured; arm it with heapledger arm 42\n");
  snapshot.state = ProcessState::kExited;
  EXPECT_EQ(ModeLines(snapshot),
            "dormant: nothing was measured; it was never armed\n");
}

TEST(ModeWordsTest, SaysWhenItWasArmed) {
  LedgerSnapshot snapshot = Exact();
  snapshot.armed_realtime_ns = 1'700'000'600'000'000'000;
  EXPECT_EQ(ModeRemarks(snapshot),
            "; armed since 2023-11-14T22:23:20Z: blocks allocated while it was "
            "dormant are not in it");
  snapshot.disarmed_realtime_ns = 1'700'000'000'000'000'000;
  EXPECT_EQ(ModeLines(snapshot),
            "armed since 2023-11-14T22:23:20Z, disarmed before at "
            "2023-11-14T22:13:20Z: blocks allocated while it was dormant are "
            "not in it\n");
}

}  // namespace
}  // namespace heapledger::collector::cli
