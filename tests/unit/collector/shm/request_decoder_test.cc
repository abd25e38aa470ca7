// SPDX-License-Identifier: Apache-2.0
#include "collector/shm/request_decoder.h"

#include <gtest/gtest.h>

#include "collector/shm/ledger_reader.h"
#include "tests/support/ledger_builder.h"
#include "tests/support/temp_directory.h"

namespace heapledger::collector {
namespace {

using testing::LedgerBuilder;
using testing::TempDirectory;

class RequestDecoderTest : public ::testing::Test {
 protected:
  LedgerSnapshot Read() {
    builder_.WriteTo(temp_.Path("1-1.ledger"));
    auto reader = LedgerReader::Open(temp_.Path("1-1.ledger"));
    EXPECT_TRUE(reader.ok()) << reader.status();
    auto snapshot = (*reader)->Take();
    EXPECT_TRUE(snapshot.ok()) << snapshot.status();
    return *std::move(snapshot);
  }

  TempDirectory temp_;
  LedgerBuilder builder_{1 << 20};
};

TEST_F(RequestDecoderTest, FindsNothingWhereNothingWasAsked) {
  const LedgerSnapshot snapshot = Read();
  EXPECT_EQ(snapshot.allocator, Allocator::kUnknown);
  EXPECT_EQ(snapshot.trim.trims, 0U);
  EXPECT_EQ(snapshot.trim.result, TrimResult::kNone);
  EXPECT_FALSE(snapshot.trim.torn);
  EXPECT_FALSE(snapshot.pressure.listens());
  EXPECT_TRUE(snapshot.pressure.listeners.empty());
}

TEST_F(RequestDecoderTest, ReadsTheLastTrim) {
  ledger::Header& header = builder_.header();
  header.allocator = static_cast<std::uint64_t>(ledger::Allocator::kJemalloc);
  ledger::TrimRecord& trim = header.trim;
  trim.result = static_cast<std::uint32_t>(ledger::TrimResult::kReturned);
  trim.asked_by = static_cast<std::uint32_t>(ledger::TrimAsker::kCollector);
  trim.last_refusal = static_cast<std::uint32_t>(ledger::TrimResult::kTooSoon);
  trim.refused = 5;
  trim.realtime_ns = 77;
  trim.duration_ns = 88;
  trim.resident_before = 300;
  trim.resident_after = 100;
  trim.held_before = 400;
  trim.held_after = 200;
  trim.free_before = 250;
  trim.free_after = 50;
  trim.begun = 3;
  trim.ended = 3;
  const LedgerSnapshot snapshot = Read();
  EXPECT_EQ(snapshot.allocator, Allocator::kJemalloc);
  EXPECT_EQ(snapshot.trim.result, TrimResult::kReturned);
  EXPECT_EQ(snapshot.trim.asked_by, TrimAsker::kCollector);
  EXPECT_EQ(snapshot.trim.last_refusal, TrimResult::kTooSoon);
  EXPECT_EQ(snapshot.trim.refused, 5U);
  EXPECT_EQ(snapshot.trim.trims, 3U);
  EXPECT_EQ(snapshot.trim.realtime_ns, 77U);
  EXPECT_EQ(snapshot.trim.duration_ns, 88U);
  EXPECT_EQ(snapshot.trim.before, (TrimFigures{300, 400, 250}));
  EXPECT_EQ(snapshot.trim.after, (TrimFigures{100, 200, 50}));
  EXPECT_FALSE(snapshot.trim.torn);
}

TEST_F(RequestDecoderTest, SaysWhenATrimIsBeingWritten) {
  builder_.header().trim.begun = 4;
  builder_.header().trim.ended = 3;
  EXPECT_TRUE(Read().trim.torn);
}

TEST_F(RequestDecoderTest, ReadsWhoListensForPressure) {
  ledger::PressureRecord& pressure = builder_.header().pressure;
  pressure.taken_level = 3;
  pressure.waiting = 1;
  pressure.taken = 9;
  pressure.taken_realtime_ns = 10;
  pressure.polls = 11;
  ledger::PressureListener& listener =
      pressure.listeners[ledger::kPressureListeners - 1];
  listener.callback = 0x1234;
  listener.least_level = 2;
  listener.last_level = 3;
  listener.runs = 12;
  listener.total_ns = 13;
  listener.longest_ns = 14;
  const PressureFacts read = Read().pressure;
  EXPECT_EQ(read.taken_level, PressureLevel::kHigh);
  EXPECT_EQ(read.waiting, 1U);
  EXPECT_EQ(read.taken, 9U);
  EXPECT_EQ(read.taken_realtime_ns, 10U);
  EXPECT_EQ(read.polls, 11U);
  EXPECT_TRUE(read.listens());
  ASSERT_EQ(read.listeners.size(), 1U);
  EXPECT_EQ(read.listeners[0].callback, 0x1234U);
  EXPECT_EQ(read.listeners[0].least_level, 2U);
  EXPECT_EQ(read.listeners[0].last_level, 3U);
  EXPECT_EQ(read.listeners[0].runs, 12U);
  EXPECT_EQ(read.listeners[0].total_ns, 13U);
  EXPECT_EQ(read.listeners[0].longest_ns, 14U);
}

TEST_F(RequestDecoderTest, MakesNothingOfValuesThatItDoesNotKnow) {
  ledger::Header& header = builder_.header();
  header.allocator = 1ULL << 40;
  header.trim.result = 99;
  header.trim.asked_by = 99;
  header.trim.begun = 1;
  header.trim.ended = 1;
  header.pressure.taken_level = 7;
  const LedgerSnapshot snapshot = Read();
  EXPECT_EQ(snapshot.allocator, Allocator::kUnknown);
  EXPECT_EQ(snapshot.trim.result, TrimResult::kUnknown);
  EXPECT_EQ(snapshot.trim.asked_by, TrimAsker::kUnknown);
  EXPECT_EQ(snapshot.pressure.taken_level, PressureLevel::kNotAsked);
}

}  // namespace
}  // namespace heapledger::collector
