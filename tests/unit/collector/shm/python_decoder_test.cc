// SPDX-License-Identifier: Apache-2.0
#include "collector/shm/python_decoder.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "collector/shm/ledger_reader.h"
#include "heapledger/ledger/python_record.h"
#include "preload/runtime/python_book.h"
#include "tests/support/ledger_builder.h"

namespace heapledger::collector {
namespace {

using testing::LedgerBuilder;

class PythonDecoderTest : public ::testing::Test {
 protected:
  PythonDecoderTest() {
    const std::uint32_t page =
        builder_.AddExtent(ledger::ExtentKind::kPython, 0, 0, 1);
    record_ = reinterpret_cast<ledger::PythonRecord*>(
        builder_.data() + std::size_t{page} * ledger::kPageBytes);
    preload::PythonBook book(record_);
    record_->version = 0x030b02f0;
    book.AddCollection(2, 60, 1, 5'000'000);
    preload::MallocStats stats;
    stats.arenas = 2;
    stats.arena_bytes = 2 << 20;
    stats.block_bytes = 1 << 20;
    stats.blocks[3] = 400;
    book.SetHeap(stats, 5000, 77);
    preload::CountedType types[ledger::kPythonTypes];
    types[0] = {"dict", 4, 0, 30};
    types[1] = {"Order", 5, 0, 20};
    book.SetTypes(types, 2, 100, 1000, 88);
    book.SetState(ledger::HelperState::kOn, ledger::PythonReason::kNone);
  }

  LedgerSnapshot Take() {
    const int descriptor = memfd_create("ledger", MFD_CLOEXEC);
    EXPECT_EQ(ftruncate(descriptor, static_cast<off_t>(builder_.size())), 0);
    EXPECT_EQ(pwrite(descriptor, builder_.data(), builder_.used_bytes(), 0),
              static_cast<ssize_t>(builder_.used_bytes()));
    auto reader = LedgerReader::Adopt(descriptor, "L");
    EXPECT_TRUE(reader.ok()) << reader.status();
    auto snapshot = (*reader)->Take();
    EXPECT_TRUE(snapshot.ok()) << snapshot.status();
    return snapshot.ok() ? *std::move(snapshot) : LedgerSnapshot();
  }

  LedgerBuilder builder_;
  ledger::PythonRecord* record_;
};

TEST_F(PythonDecoderTest, GivesWhatTheHelperWrote) {
  const LedgerSnapshot snapshot = Take();
  ASSERT_NE(snapshot.python, nullptr);
  const PythonFigures& python = *snapshot.python;
  EXPECT_EQ(python.state, PythonHelperState::kOn);
  EXPECT_EQ(python.version.Text(), "3.11.2");
  ASSERT_TRUE(python.generations);
  const auto& [counts, durations] = (*python.generations)[2];
  EXPECT_EQ(counts.collections, 1U);
  EXPECT_EQ(counts.collected, 60U);
  EXPECT_EQ(counts.uncollectable, 1U);
  EXPECT_EQ(durations.total_ns, 5'000'000U);
  EXPECT_EQ(durations.buckets.size(), ledger::kPythonDurations);
  EXPECT_EQ(durations.buckets[4],
            (std::pair<std::uint64_t, std::uint64_t>(10'000'000, 1)));
  ASSERT_TRUE(python.heap);
  EXPECT_EQ(python.heap->blocks, 5000U);
  EXPECT_EQ(python.heap->arena_bytes, 2U << 20);
  EXPECT_EQ(python.heap->block_bytes, 1U << 20);
  EXPECT_EQ(python.heap->size_classes[3],
            (std::pair<std::uint32_t, std::uint64_t>(64, 400)));
  ASSERT_TRUE(python.types);
  EXPECT_EQ(python.types->objects, 100U);
  EXPECT_EQ(python.types->named,
            (std::vector<std::pair<std::string, std::uint64_t>>{
                {"dict", 30}, {"Order", 20}}));
  EXPECT_EQ(snapshot.corrupt_records, 0U);
}

TEST_F(PythonDecoderTest, LeavesOutAPartThatIsBeingWritten) {
  ++record_->heap_round;
  const LedgerSnapshot snapshot = Take();
  ASSERT_NE(snapshot.python, nullptr);
  EXPECT_FALSE(snapshot.python->heap);
  EXPECT_TRUE(snapshot.python->generations);
  EXPECT_TRUE(snapshot.python->types);
}

TEST_F(PythonDecoderTest, NamesNoMoreObjectsThanThereAre) {
  record_->tracked_objects = 40;
  const LedgerSnapshot snapshot = Take();
  EXPECT_EQ(snapshot.python->types->named.size(), 1U);
  EXPECT_GT(snapshot.corrupt_records, 0U);
}

TEST_F(PythonDecoderTest, LeavesOutNamesThatAreEmptyOrThereTwice) {
  record_->types[1].name[0] = record_->types[0].name[0].load();
  record_->type_count = 3;
  EXPECT_EQ(Take().python->types->named.size(), 1U);
}

TEST_F(PythonDecoderTest, HasNothingOfALedgerWithoutARecord) {
  builder_.extent(0).kind_owner = 0;
  EXPECT_EQ(Take().python, nullptr);
}

// One thread writes parts whose figures are all the same number, the other
// reads: no part is ever half of one and half of the next.
TEST_F(PythonDecoderTest, TakesNoPartThatChangedMeanwhile) {
  const int descriptor = memfd_create("ledger", MFD_CLOEXEC);
  ASSERT_EQ(ftruncate(descriptor, static_cast<off_t>(builder_.size())), 0);
  auto* const file = static_cast<std::byte*>(mmap(nullptr, builder_.size(),
                                                  PROT_READ | PROT_WRITE,
                                                  MAP_SHARED, descriptor, 0));
  ASSERT_NE(file, MAP_FAILED);
  std::memcpy(file, builder_.data(), builder_.used_bytes());
  auto* const record = reinterpret_cast<ledger::PythonRecord*>(
      file + (reinterpret_cast<std::byte*>(record_) - builder_.data()));
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    preload::PythonBook book(record);
    for (std::uint64_t i = 1; !stop.load(); ++i) {
      preload::MallocStats stats;
      stats.arenas = stats.arena_bytes = stats.block_bytes = i;
      for (auto& blocks : stats.blocks) blocks = i;
      book.SetHeap(stats, i, i);
    }
  });
  auto reader = LedgerReader::Adopt(descriptor, "L");
  ASSERT_TRUE(reader.ok());
  int seen = 0;
  for (int look = 0; look < 3000; ++look) {
    const auto snapshot = (*reader)->Take();
    ASSERT_TRUE(snapshot.ok());
    const auto& heap = snapshot->python->heap;
    if (!heap || heap->arenas == 2) continue;  // torn, or the first one
    ++seen;
    EXPECT_EQ(heap->arenas, heap->realtime_ns);
    EXPECT_EQ(heap->blocks, heap->realtime_ns);
    for (const auto& [size, blocks] : heap->size_classes) {
      ASSERT_EQ(blocks, heap->realtime_ns) << size;
    }
  }
  stop = true;
  writer.join();
  EXPECT_GT(seen, 0);
  munmap(file, builder_.size());
}

}  // namespace
}  // namespace heapledger::collector
