// SPDX-License-Identifier: Apache-2.0
// The ledger as enemy: cut, flipped, scribbled over while it is read. Whatever
// happens is a status or a snapshot that keeps its invariants.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "collector/shm/ledger_reader.h"
#include "tests/support/ledger_builder.h"

namespace heapledger::collector {
namespace {

using testing::LedgerBuilder;

constexpr std::size_t kSmallCap = 1 << 20;

// Some of everything, over several shards.
void Fill(LedgerBuilder& builder) {
  std::vector<std::uint32_t> frames;
  for (std::uint32_t m = 0; m < 3; ++m) {
    const auto module = builder.AddModule(
        "/usr/lib/lib" + std::to_string(m) + ".so", 0x10000 * (m + 1));
    for (std::uint32_t f = 0; f < 10; ++f) {
      frames.push_back(
          builder.AddFrame(0x10000 * (m + 1) + f * 16 + 1, module));
    }
  }
  for (std::uint32_t code = 0; code < 5; ++code) {
    const auto id = builder.AddCode("f" + std::to_string(code), "a.py", code);
    frames.push_back(
        builder.AddFrame(ledger::PythonWord::Pack(id, code, code + 1), 0,
                         ledger::kFrameIsPython));
  }
  for (std::uint32_t c = 0; c < 40; ++c) {
    std::vector<std::uint32_t> stack;
    for (std::uint32_t d = 0; d <= c % 7; ++d) {
      stack.push_back(frames[(c * 7 + d * 3) % frames.size()]);
    }
    const auto id =
        builder.AddCallsite(builder.AddStack(stack), c % 9 == 0 ? 8U : 0U);
    builder.Allocate(id, c % 4, 1000 + c, 10);
    builder.Free(id, (c + 1) % 4, c, 1);
    builder.leak(id).direct_bytes = c;
  }
  builder.header().scan.state =
      static_cast<std::uint32_t>(ledger::ScanState::kComplete);
}

void CheckInvariants(const LedgerSnapshot& snapshot) {
  HeapCounters sum;
  ASSERT_LE(snapshot.counters.size(), snapshot.tables->callsites.size());
  for (const HeapCounters& counters : snapshot.counters) {
    sum += counters;
    ASSERT_LE(counters.freed_bytes,
              counters.inherited_bytes + counters.allocated_bytes);
    ASSERT_LE(counters.freed_objects,
              counters.inherited_objects + counters.allocated_objects);
  }
  ASSERT_EQ(sum, snapshot.totals);
  LeakCounts leaks;
  for (const LeakRecord& leak : snapshot.scan.leaks) {
    ASSERT_LT(leak.callsite, snapshot.counters.size());
    leaks += leak.counts;
  }
  ASSERT_EQ(leaks, snapshot.scan.totals);
  for (const CallsiteInfo& callsite : snapshot.callsites()) {
    for (const std::uint32_t frame : snapshot.stack(callsite)) {
      ASSERT_LT(frame, snapshot.tables->frames.size());
      (void)snapshot.module_of(snapshot.tables->frames[frame]);
    }
  }
}

class HostileLedgerTest : public ::testing::Test {
 protected:
  HostileLedgerTest() : builder_(kSmallCap) {
    Fill(builder_);
    descriptor_ = memfd_create("ledger", MFD_CLOEXEC);
    Restore();
    bytes_ =
        static_cast<std::byte*>(mmap(nullptr, kSmallCap, PROT_READ | PROT_WRITE,
                                     MAP_SHARED, descriptor_, 0));
  }
  ~HostileLedgerTest() override {
    munmap(bytes_, kSmallCap);
    close(descriptor_);
  }

  void Restore() {
    ASSERT_EQ(ftruncate(descriptor_, kSmallCap), 0);
    ASSERT_EQ(pwrite(descriptor_, builder_.data(), builder_.used_bytes(), 0),
              static_cast<ssize_t>(builder_.used_bytes()));
  }

  // One status or one sound snapshot, twice by the same reader.
  bool Read() {
    auto reader = LedgerReader::Adopt(dup(descriptor_), "L");
    if (!reader.ok()) return false;
    bool good = false;
    for (int look = 0; look < 2; ++look) {
      const auto snapshot = (*reader)->Take();
      if (snapshot.ok()) CheckInvariants(*snapshot);
      good = snapshot.ok();
    }
    return good;
  }

  LedgerBuilder builder_;
  int descriptor_ = -1;
  std::byte* bytes_ = nullptr;
};

TEST_F(HostileLedgerTest, IsSoundBeforeAnythingHappens) { EXPECT_TRUE(Read()); }

TEST_F(HostileLedgerTest, RefusesEveryTruncationAtAPageBoundary) {
  for (std::size_t size = 0; size < kSmallCap; size += ledger::kPageBytes) {
    Restore();
    ASSERT_EQ(ftruncate(descriptor_, static_cast<off_t>(size)), 0);
    EXPECT_FALSE(Read()) << size;
  }
}

TEST_F(HostileLedgerTest, SurvivesTruncationBetweenOpeningAndReading) {
  for (std::size_t size = 0; size < builder_.used_bytes();
       size += ledger::kPageBytes) {
    Restore();
    auto reader = LedgerReader::Adopt(dup(descriptor_), "L");
    ASSERT_TRUE(reader.ok());
    ASSERT_EQ(ftruncate(descriptor_, static_cast<off_t>(size)), 0);
    const auto snapshot = (*reader)->Take();
    EXPECT_FALSE(snapshot.ok()) << size;
    Restore();
    const auto again = (*reader)->Take();
    ASSERT_TRUE(again.ok()) << "a reader starts over after a failure";
    CheckInvariants(*again);
  }
}

TEST_F(HostileLedgerTest, SurvivesThousandsOfFlippedBytes) {
  for (std::uint32_t seed = 1; seed <= 4000; ++seed) {
    std::mt19937 random(seed);
    Restore();
    const std::uint32_t flips = 1 + random() % 16;
    for (std::uint32_t i = 0; i < flips; ++i) {
      // Half of them in the fixed pages, where one byte does the most.
      const std::size_t end =
          random() % 2 == 0 ? 3 * ledger::kPageBytes : builder_.used_bytes();
      bytes_[random() % end] = static_cast<std::byte>(random());
    }
    Read();
    if (HasFatalFailure()) FAIL() << "seed " << seed;
  }
}

TEST_F(HostileLedgerTest, SurvivesWholeWordsOfNoise) {
  for (std::uint32_t seed = 1; seed <= 2000; ++seed) {
    std::mt19937_64 random(seed);
    Restore();
    for (int i = 0; i < 8; ++i) {
      const std::size_t first = (ledger::kExtentPage * ledger::kPageBytes) / 8;
      const std::size_t word =
          i < 4 ? first + random() % 64
                : ledger::kFirstDataPage * 512 +
                      random() % ((builder_.used_bytes() -
                                   ledger::kFirstDataPage * 4096) /
                                  8);
      const std::uint64_t noise =
          random() % 2 == 0 ? random() : random() % 64 << (random() % 2 * 32);
      std::memcpy(bytes_ + word * 8, &noise, sizeof noise);
    }
    Read();
    if (HasFatalFailure()) FAIL() << "seed " << seed;
  }
}

TEST_F(HostileLedgerTest, SurvivesTruncationWhileItIsRead) {
  std::atomic<bool> stop{false};
  std::thread enemy([&] {
    std::mt19937 random(7);
    while (!stop) {
      (void)!ftruncate(descriptor_, static_cast<off_t>(random() % kSmallCap));
      usleep(100);
      (void)!ftruncate(descriptor_, kSmallCap);
      (void)!pwrite(descriptor_, builder_.data(), builder_.used_bytes(), 0);
      usleep(100);
    }
  });
  for (int i = 0; i < 500 && !HasFatalFailure(); ++i) Read();
  stop = true;
  enemy.join();
}

TEST_F(HostileLedgerTest, SurvivesAWriterThatScribblesAtFullSpeed) {
  std::atomic<bool> stop{false};
  std::thread enemy([&] {
    std::mt19937_64 random(11);
    auto* const words = reinterpret_cast<std::uint64_t*>(bytes_);
    while (!stop) {
      const std::size_t word = random() % (builder_.used_bytes() / 8);
      __atomic_store_n(words + word, random() % 4096, __ATOMIC_RELAXED);
      if (random() % 64 == 0) {
        (void)!pwrite(descriptor_, builder_.data(), builder_.used_bytes(), 0);
      }
    }
  });
  for (int i = 0; i < 300 && !HasFatalFailure(); ++i) Read();
  stop = true;
  enemy.join();
}

}  // namespace
}  // namespace heapledger::collector
