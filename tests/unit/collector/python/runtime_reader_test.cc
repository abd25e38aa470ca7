// SPDX-License-Identifier: Apache-2.0
#include "collector/python/runtime_reader.h"

#include <gtest/gtest.h>

#include "collector/python/runtime_layout.h"
#include "tests/support/fake_memory.h"

namespace heapledger::collector::python {
namespace {

constexpr std::uint64_t kRuntime = 0x100000;
constexpr std::uint64_t kMain = 0x200000;
constexpr std::uint64_t kOther = 0x300000;

// An interpreter as `layout` has it, with figures of its own.
class RuntimeReaderTest : public ::testing::Test {
 protected:
  void Make(const RuntimeLayout& layout) {
    layout_ = layout;
    memory_.Map(kRuntime, 4096);
    memory_.Put(kRuntime + layout.interpreters_head, kMain);
    memory_.Put(kRuntime + layout.interpreters_head + 8, kMain);
    memory_.Map(kMain, 16384);
    const std::uint64_t collector = Collector();
    memory_.Put(collector + CollectorLayout::kEnabled, 1);
    memory_.Put(collector + CollectorLayout::kGeneration0,
                collector + CollectorLayout::kGenerations);
    for (std::uint64_t i = 0; i < 3; ++i) {
      const std::uint64_t generation = collector +
                                       CollectorLayout::kGenerations +
                                       i * CollectorLayout::kGenerationBytes;
      memory_.Put(generation + CollectorLayout::kThreshold,
                  static_cast<int>(700 + i));
      memory_.Put(generation + CollectorLayout::kCounter,
                  static_cast<int>(40 + i));
      const std::uint64_t stats = Stats(i);
      memory_.Put(stats, 100 + i);
      memory_.Put(stats + 8, 200 + i);
      memory_.Put(stats + 16, 300 + i);
    }
  }

  [[nodiscard]] std::uint64_t Collector() const {
    return kMain + layout_.collector;
  }
  [[nodiscard]] std::uint64_t Stats(std::uint64_t generation) const {
    return Collector() + CollectorLayout::kStats +
           generation * CollectorLayout::kStatsBytes;
  }

  void MakeDebugOffsets(std::uint64_t version, std::uint64_t free_threaded) {
    Make({632, 7264, 7400});
    std::uint64_t cookie;
    std::memcpy(&cookie, DebugOffsetsLayout::kCookie, sizeof cookie);
    memory_.Put(kRuntime, cookie);
    const auto put = [this](std::uint64_t word, std::uint64_t value) {
      memory_.Put(kRuntime + word * 8, value);
    };
    put(DebugOffsetsLayout::kVersion, version);
    put(DebugOffsetsLayout::kFreeThreaded, free_threaded);
    put(DebugOffsetsLayout::kInterpretersHead, 632);
    put(DebugOffsetsLayout::kInterpreterNext, 7264);
    put(DebugOffsetsLayout::kCollector, 7400);
  }

  [[nodiscard]] absl::StatusOr<Runtime> Read(std::uint32_t minor) const {
    return ReadRuntime(memory_, kRuntime, {3, minor, 1});
  }

  testing::FakeMemory memory_;
  RuntimeLayout layout_;
};

TEST_F(RuntimeReaderTest, ReadsEveryVersionThatIsKnown) {
  for (const std::uint32_t minor : {9U, 10U, 11U, 12U}) {
    memory_ = {};
    Make(*LayoutOf({3, minor, 1}));
    const auto runtime = Read(minor);
    ASSERT_TRUE(runtime.ok()) << minor << runtime.status();
    EXPECT_EQ(runtime->version, (PythonVersion{3, minor, 1}));
    EXPECT_TRUE(runtime->collector_enabled);
    EXPECT_EQ(runtime->interpreters, 1U);
    EXPECT_EQ(runtime->generations[1],
              (PythonCollections{101, 201, 301, 41, 701}));
    EXPECT_EQ(runtime->generations[2],
              (PythonCollections{102, 202, 302, 42, 702}));
  }
}

TEST_F(RuntimeReaderTest, ReadsWhatLaterVersionsSayOfThemselves) {
  MakeDebugOffsets(0x030d00f0, 0);
  // Whatever the version was taken for.
  const auto runtime = Read(9);
  ASSERT_TRUE(runtime.ok()) << runtime.status();
  EXPECT_EQ(runtime->version, (PythonVersion{3, 13, 0}));
  EXPECT_EQ(runtime->generations[0],
            (PythonCollections{100, 200, 300, 40, 700}));
}

TEST_F(RuntimeReaderTest, RefusesWhatItDoesNotKnow) {
  MakeDebugOffsets(0x030e00f0, 0);
  EXPECT_TRUE(absl::IsUnimplemented(Read(14).status()));
  MakeDebugOffsets(0x030d00f0, 1);
  EXPECT_TRUE(absl::IsUnimplemented(Read(13).status())) << "free-threaded";
  memory_ = {};
  Make(*LayoutOf({3, 12, 0}));
  EXPECT_TRUE(absl::IsUnimplemented(Read(8).status()));
  EXPECT_TRUE(absl::IsUnimplemented(Read(15).status()));
}

TEST_F(RuntimeReaderTest, SeesThatNoInterpreterIsUp) {
  Make(*LayoutOf({3, 11, 0}));
  memory_.Put(kRuntime + layout_.interpreters_head + 8, std::uint64_t{0});
  EXPECT_TRUE(absl::IsFailedPrecondition(Read(11).status()));
}

TEST_F(RuntimeReaderTest, RefusesACollectorThatDoesNotLeadToItself) {
  Make(*LayoutOf({3, 11, 0}));
  memory_.Put(Collector() + CollectorLayout::kGeneration0, Collector());
  EXPECT_TRUE(absl::IsDataLoss(Read(11).status()));
}

TEST_F(RuntimeReaderTest, RefusesCountsThatMakeNoSense) {
  Make(*LayoutOf({3, 11, 0}));
  memory_.Put(Stats(0), std::uint64_t{1} << 60);
  EXPECT_TRUE(absl::IsDataLoss(Read(11).status()));
}

TEST_F(RuntimeReaderTest, TakesANegativeCounterForNone) {
  Make(*LayoutOf({3, 11, 0}));
  memory_.Put(
      Collector() + CollectorLayout::kGenerations + CollectorLayout::kCounter,
      -3);
  EXPECT_EQ(Read(11)->generations[0].counter, 0U);
}

TEST_F(RuntimeReaderTest, CountsInterpretersAndStopsInACircle) {
  Make(*LayoutOf({3, 12, 0}));
  memory_.Map(kOther, 4096);
  memory_.Put(kRuntime + layout_.interpreters_head, kOther);
  memory_.Put(kOther, kMain);
  EXPECT_EQ(Read(12)->interpreters, 2U);
  memory_.Put(kMain, kOther);
  EXPECT_EQ(Read(12)->interpreters, kMostInterpreters);
  memory_.Put(kOther, std::uint64_t{0xdead0000});
  EXPECT_EQ(Read(12)->interpreters, 2U) << "a list that is being changed";
}

TEST_F(RuntimeReaderTest, PassesOnThatTheKernelRefuses) {
  Make(*LayoutOf({3, 12, 0}));
  memory_.Refuse(absl::PermissionDeniedError("no"));
  EXPECT_TRUE(absl::IsPermissionDenied(Read(12).status()));
}

TEST_F(RuntimeReaderTest, RefusesOffsetsThatLeadAnywhere) {
  MakeDebugOffsets(0x030d00f0, 0);
  memory_.Put(kRuntime + DebugOffsetsLayout::kCollector * 8,
              ~std::uint64_t{0} - 7);
  EXPECT_TRUE(absl::IsDataLoss(Read(13).status()));
}

}  // namespace
}  // namespace heapledger::collector::python
