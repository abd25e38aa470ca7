// SPDX-License-Identifier: Apache-2.0
#include "preload/runtime/python_stack.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace heapledger::preload {
namespace {

using Frames = std::vector<std::uint64_t>;

// Native frames of 0x100 bytes each, the innermost at 0x1000.
class PythonStackTest : public ::testing::Test {
 protected:
  PythonStackTest() { last_->top = unwind::LastStack::kOutermost - 1; }

  void PutNative(const Frames& innermost_first) {
    const auto depth = static_cast<std::uint32_t>(innermost_first.size());
    last_->top = unwind::LastStack::kOutermost + depth - 1;
    for (std::uint32_t i = 0; i < depth; ++i) {
      last_->places[last_->top - i] = {0x1000 + i * 0x100, innermost_first[i]};
    }
    last_->places[unwind::LastStack::kOutermost - 1] = {0x1000 + depth * 0x100,
                                                        0};
  }

  Frames Merged(const std::vector<PythonFrame>& chain, bool chain_cut = false,
                bool native_is_whole = true, std::uint32_t capacity = 100) {
    Frames frames(capacity);
    merged_ = MergeStacks(
        *last_, native_is_whole,
        {chain.data(), static_cast<std::uint32_t>(chain.size()), chain_cut},
        loop_, frames.data(), capacity);
    frames.resize(merged_.depth);
    return frames;
  }

  std::unique_ptr<unwind::LastStack> last_ =
      std::make_unique<unwind::LastStack>();
  LoopRange loop_;
  MergedStack merged_;
};

TEST_F(PythonStackTest, PutsTheFramesOfALoopInItsPlace) {
  PutNative({1, 2, 3, 4});
  // Both run in the third frame.
  EXPECT_EQ(Merged({{91, 0x1210}, {92, 0x1210}}), (Frames{1, 2, 91, 92, 4}));
  EXPECT_FALSE(merged_.truncated);
}

TEST_F(PythonStackTest, KeepsNativeFramesBetweenLoops) {
  PutNative({1, 2, 3, 4, 5});
  EXPECT_EQ(Merged({{91, 0x1110}, {92, 0x1310}}), (Frames{1, 91, 3, 92, 5}));
}

TEST_F(PythonStackTest, KeepsNativeFramesOfALoopWithoutPythonFrames) {
  PutNative({1, 2, 3});
  EXPECT_EQ(Merged({}), (Frames{1, 2, 3}));
}

TEST_F(PythonStackTest, PutsFramesOfAnotherStackAtTheEnd) {
  PutNative({1, 2, 3});
  EXPECT_EQ(Merged({{91, 0x1110}, {92, 0x9000}}), (Frames{1, 91, 3, 92}));
}

TEST_F(PythonStackTest, EndsWhereTheChainWasCut) {
  PutNative({1, 2, 3});
  EXPECT_EQ(Merged({{91, 0x1110}}, true), (Frames{1, 91}));
  EXPECT_TRUE(merged_.truncated);
}

TEST_F(PythonStackTest, EndsWhereThereIsNoRoom) {
  PutNative({1, 2, 3});
  EXPECT_EQ(Merged({{91, 0x1110}, {92, 0x1110}}, false, true, 2),
            (Frames{1, 91}));
  EXPECT_TRUE(merged_.truncated);
}

// Versions that say nothing of the C stack: a loop is at pcs 1000 to 1999.
class PythonStackByPcTest : public PythonStackTest {
 protected:
  PythonStackByPcTest() { loop_ = {1000, 2000}; }
};

TEST_F(PythonStackByPcTest, ExchangesEachLoopForAFrame) {
  PutNative({1, 1100, 3, 1200, 5});
  EXPECT_EQ(Merged({{91, 0}, {92, 0}}), (Frames{1, 91, 3, 92, 5}));
}

TEST_F(PythonStackByPcTest, TakesReturnAddressesAsTheCallBefore) {
  PutNative({1, 2000, 1000});
  EXPECT_EQ(Merged({{91, 0}}), (Frames{1, 91, 1000}));
}

TEST_F(PythonStackByPcTest, LeavesInnerLoopsThatHaveNoFrameYet) {
  PutNative({1100, 3, 1200, 5});
  EXPECT_EQ(Merged({{91, 0}}), (Frames{1100, 3, 91, 5}));
}

TEST_F(PythonStackByPcTest, PutsFramesWithoutALoopWithTheInnermostLoop) {
  PutNative({1, 1100, 3, 1200, 5});
  EXPECT_EQ(Merged({{91, 0}, {92, 0}, {93, 0}}), (Frames{1, 91, 92, 3, 93, 5}));
}

TEST_F(PythonStackByPcTest, PutsFramesBeyondACutStackAtTheEnd) {
  PutNative({1, 1100, 3});
  EXPECT_EQ(Merged({{91, 0}, {92, 0}}, false, false), (Frames{1, 91, 3, 92}));
}

}  // namespace
}  // namespace heapledger::preload
