// SPDX-License-Identifier: Apache-2.0
#include "collector/shm/leak_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "collector/shm/ledger_reader.h"
#include "heapledger/ledger/reasons.h"
#include "tests/support/ledger_builder.h"

namespace heapledger::collector {
namespace {

using testing::LedgerBuilder;

LedgerSnapshot MustTake(LedgerBuilder& builder) {
  const int descriptor = memfd_create("ledger", MFD_CLOEXEC);
  EXPECT_EQ(ftruncate(descriptor, static_cast<off_t>(builder.size())), 0);
  EXPECT_EQ(pwrite(descriptor, builder.data(), builder.used_bytes(), 0),
            static_cast<ssize_t>(builder.used_bytes()));
  auto reader = LedgerReader::Adopt(descriptor, "L");
  EXPECT_TRUE(reader.ok()) << reader.status();
  auto snapshot = (*reader)->Take();
  EXPECT_TRUE(snapshot.ok()) << snapshot.status();
  return snapshot.ok() ? *std::move(snapshot) : LedgerSnapshot();
}

void SetScan(LedgerBuilder& builder, ledger::ScanState state) {
  builder.header().scan.state = static_cast<std::uint32_t>(state);
}

void Leak(LedgerBuilder& builder, std::uint32_t callsite,
          const LeakCounts& counts) {
  ledger::LeakCell& cell = builder.leak(callsite);
  cell.direct_bytes = counts.direct_bytes;
  cell.direct_objects = counts.direct_objects;
  cell.indirect_bytes = counts.indirect_bytes;
  cell.indirect_objects = counts.indirect_objects;
}

TEST(LeakReaderTest, SaysThatNobodyAskedForAScan) {
  LedgerBuilder builder;
  builder.AddSimpleCallsite(0x1000);
  const LeakScan scan = MustTake(builder).scan;
  EXPECT_EQ(scan.state, ScanState::kNotAsked);
  EXPECT_TRUE(scan.leaks.empty());
}

TEST(LeakReaderTest, GivesLeaksByCallsiteAndTheirSum) {
  LedgerBuilder builder;
  const auto first = builder.AddSimpleCallsite(0x1000);
  builder.AddSimpleCallsite(0x2000);
  const auto third = builder.AddSimpleCallsite(0x3000);
  Leak(builder, first, {100, 2, 0, 0});
  Leak(builder, third, {8, 1, 4096, 3});
  SetScan(builder, ledger::ScanState::kComplete);
  builder.header().scan.blocks = 77;
  builder.header().scan.unreachable = 6;
  builder.header().scan.threads = 3;
  builder.header().scan.root_bytes = 1234;
  builder.header().scan.duration_ns = 5000;
  builder.header().scan.pause_ns = 4000;
  const LedgerSnapshot snapshot = MustTake(builder);
  const LeakScan& scan = snapshot.scan;
  EXPECT_EQ(scan.state, ScanState::kComplete);
  ASSERT_EQ(scan.leaks.size(), 2U);
  EXPECT_EQ(snapshot.callsites()[scan.leaks[0].callsite].id, first);
  EXPECT_EQ(scan.leaks[0].counts, (LeakCounts{100, 2, 0, 0}));
  EXPECT_EQ(snapshot.callsites()[scan.leaks[1].callsite].id, third);
  EXPECT_EQ(scan.leaks[1].counts, (LeakCounts{8, 1, 4096, 3}));
  EXPECT_EQ(scan.totals, (LeakCounts{108, 3, 4096, 3}));
  EXPECT_EQ(scan.blocks, 77U);
  EXPECT_EQ(scan.unreachable, 6U);
  EXPECT_EQ(scan.threads, 3U);
  EXPECT_EQ(scan.root_bytes, 1234U);
  EXPECT_EQ(scan.duration_ns, 5000U);
  EXPECT_EQ(scan.pause_ns, 4000U);
  EXPECT_EQ(snapshot.corrupt_records, 0U);
}

TEST(LeakReaderTest, GivesTheLastScanOfTheRunningProgramByItself) {
  LedgerBuilder builder;
  builder.AddSimpleCallsite(0x1000);
  ledger::Header& header = builder.header();
  header.live_scan.state =
      static_cast<std::uint32_t>(ledger::ScanState::kComplete);
  header.live_scan.pause_ns = 3000;
  header.live_round = 4;
  header.live_pause_limit_ms = 20;
  header.live_realtime_ns = 99;
  const LedgerSnapshot snapshot = MustTake(builder);
  EXPECT_EQ(snapshot.scan.state, ScanState::kNotAsked);
  EXPECT_EQ(snapshot.live_scan.state, ScanState::kComplete);
  EXPECT_EQ(snapshot.live_scan.round, 4U);
  EXPECT_EQ(snapshot.live_scan.pause_ns, 3000U);
  EXPECT_EQ(snapshot.live_scan.pause_limit_ms, 20U);
  EXPECT_EQ(snapshot.live_scan.realtime_ns, 99U);
}

TEST(LeakReaderTest, TellsNothingOfAResultThatIsBeingWritten) {
  LedgerBuilder builder;
  builder.AddSimpleCallsite(0x1000);
  builder.header().live_scan.state =
      static_cast<std::uint32_t>(ledger::ScanState::kComplete);
  builder.header().live_round = 5;
  EXPECT_EQ(MustTake(builder).live_scan.state, ScanState::kRunning);
}

TEST(LeakReaderTest, TakesCallsitesWithOneStackForOne) {
  LedgerBuilder builder;
  const auto frame = builder.AddFrame(0x1000, 0);
  const auto first = builder.AddCallsite(builder.AddStack({frame}));
  const auto again = builder.AddCallsite(builder.AddStack({frame}));
  Leak(builder, first, {10, 1, 0, 0});
  Leak(builder, again, {20, 1, 5, 1});
  SetScan(builder, ledger::ScanState::kComplete);
  const LeakScan scan = MustTake(builder).scan;
  ASSERT_EQ(scan.leaks.size(), 1U);
  EXPECT_EQ(scan.leaks[0].counts, (LeakCounts{30, 2, 5, 1}));
}

TEST(LeakReaderTest, TellsNoLeakOfAScanThatDidNotFinish) {
  for (const auto state :
       {ledger::ScanState::kPending, ledger::ScanState::kRunning,
        ledger::ScanState::kIncomplete, ledger::ScanState{99}}) {
    LedgerBuilder builder;
    Leak(builder, builder.AddSimpleCallsite(0x1000), {100, 2, 0, 0});
    SetScan(builder, state);
    builder.header().scan.reason =
        static_cast<std::uint32_t>(ledger::ScanReason::kThreadMissed);
    const LeakScan scan = MustTake(builder).scan;
    EXPECT_NE(scan.state, ScanState::kComplete);
    EXPECT_TRUE(scan.leaks.empty());
    EXPECT_EQ(scan.totals, LeakCounts{});
    EXPECT_EQ(ScanReasonWord(scan.reason), "thread_missed");
  }
}

TEST(LeakReaderTest, LeavesOutWhatMakesNoSense) {
  LedgerBuilder builder;
  const auto good = builder.AddSimpleCallsite(0x1000);
  const auto huge = builder.AddSimpleCallsite(0x2000);
  Leak(builder, good, {100, 2, 0, 0});
  Leak(builder, huge, {~0ULL, 1, 0, 0});
  Leak(builder, huge + 7, {5, 1, 0, 0});  // no such callsite
  SetScan(builder, ledger::ScanState::kComplete);
  const LedgerSnapshot snapshot = MustTake(builder);
  EXPECT_EQ(snapshot.scan.leaks.size(), 1U);
  EXPECT_EQ(snapshot.scan.totals, (LeakCounts{100, 2, 0, 0}));
  EXPECT_EQ(snapshot.corrupt_records, 2U);
}

TEST(LeakReaderTest, NamesReasonsItDoesNotKnow) {
  EXPECT_EQ(ScanReasonWord(99), "unknown_99");
  EXPECT_EQ(ScanReasonText(99), "reason 99, which this build does not know");
}

}  // namespace
}  // namespace heapledger::collector
