// SPDX-License-Identifier: Apache-2.0
// Walks over a stack that the test lays out in an array, with rules from CFI
// that it types as bytes.
#include "preload/unwind/walker.h"

#include <gtest/gtest.h>

#include <memory>

#include "preload/unwind/frame_pointer.h"
#include "tests/support/no_alloc_guard.h"
#include "tests/unit/preload/unwind/eh_frame_builder.h"

namespace heapledger::preload::unwind {
namespace {

// Functions of 64 bytes each in the fake module, by what their CFI says.
constexpr std::uint64_t kFrame16 = 0;      // CFA = rsp + 16
constexpr std::uint64_t kSaves = 64;       // CFA = rsp + 32, rbp at CFA − 16
constexpr std::uint64_t kBased = 128;      // CFA = rbp + 16, rbp at CFA − 16
constexpr std::uint64_t kRealigned = 192;  // CFA = *(rbp − 8), rbp at *rbp
constexpr std::uint64_t kOutermost = 256;  // return address undefined
constexpr std::uint64_t kUnusable = 320;   // CFA in rdx, which nobody knows
constexpr std::uint64_t kHuge = 384;       // CFA = rsp + 128 KiB
constexpr std::uint64_t kLeaf = 448;       // CFA = rsp + 8, rbp in the red zone
constexpr std::uint64_t kLosesRbp = 512;   // CFA = rsp + 16, rbp undefined
constexpr std::uint64_t kByRbx = 576;      // CFA = rbx + 32, rbx at CFA − 32
constexpr std::uint64_t kSavesRbx = 640;   // CFA = rsp + 24, rbx at CFA − 16
constexpr std::uint64_t kByR10 = 704;      // CFA = r10
constexpr std::uint64_t kSignal = 1024;    // __restore_rt
constexpr std::uint64_t kNoCfiCode = 4096;  // in the module, without an FDE
constexpr std::uint64_t kForeignCode = 1 << 20;  // in no module

class FakeEnv {
 public:
  FakeEnv()
      : entries_(new RuleCache::Entry[4096]()),
        slots_(new RuleDictionary::Slot[64]()) {
    cache_.Attach(entries_.get(), 4096, slots_.get(), 64);
    section_ = builder_.Cie()
                   .Fde(kFrame16, 64, {0x0e, 16})
                   .Fde(kSaves, 64, {0x0e, 32, 0x86, 2})
                   .Fde(kBased, 64, {0x0c, 6, 16, 0x86, 2})
                   .Fde(kRealigned, 64,
                        {0x0f, 3, 0x76, 0x78, 0x06, 0x10, 6, 2, 0x76, 0})
                   .Fde(kOutermost, 64, {0x07, 16})
                   .Fde(kUnusable, 64, {0x0f, 1, 0x96})
                   .Fde(kHuge, 64, {0x0e, 0x80, 0x80, 0x08})
                   .Fde(kLeaf, 64, {0x86, 3})
                   .Fde(kLosesRbp, 64, {0x0e, 16, 0x07, 6})
                   .Fde(kByRbx, 64, {0x0c, 3, 32, 0x83, 4})
                   .Fde(kSavesRbx, 64, {0x0e, 24, 0x83, 2})
                   .Fde(kByR10, 64, {0x0c, 10, 0})
                   .Cie(UsualInitial(), "zRS")
                   .Fde(kSignal, 64, {0x10, 16, 3, 0x77, 0xa8, 0x01})
                   .Build();
  }

  RuleCache& rule_cache() { return cache_; }
  bool FindSection(std::uint64_t pc, EhFrameSection* section) {
    ++searches;
    if (pc - builder_.code() >= kForeignCode) return false;
    *section = section_;
    return true;
  }

  // A return address into a function.
  std::uint64_t In(std::uint64_t function) const {
    return builder_.code() + function + 10;
  }

  int searches = 0;

 private:
  std::unique_ptr<RuleCache::Entry[]> entries_;
  std::unique_ptr<RuleDictionary::Slot[]> slots_;
  RuleCache cache_;
  EhFrameBuilder builder_;
  EhFrameSection section_;
};
static_assert(WalkEnv<FakeEnv>);

class WalkTest : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kWords = 1024;
  static constexpr std::uint32_t kMaxDepth = 32;

  std::uint64_t At(std::uint32_t word) const {
    return reinterpret_cast<std::uint64_t>(stack_ + word);
  }
  StackBounds Known() const { return {At(0), At(kWords)}; }

  WalkResult WalkFrom(std::uint64_t function, std::uint32_t rsp,
                      std::uint64_t rbp, StackBounds bounds,
                      std::uint32_t max_depth = kMaxDepth) {
    const testing::NoAllocGuard guard;
    return Walk(env_, {env_.In(function), At(rsp), rbp}, bounds, frames_,
                max_depth);
  }

  FakeEnv env_;
  alignas(4096) std::uint64_t stack_[kWords] = {};
  std::uint64_t frames_[kMaxDepth] = {};
};

TEST_F(WalkTest, FollowsOffsetsFromRspToTheOutermostFrame) {
  stack_[101] = env_.In(kSaves);  // frame16 at 100: CFA 102
  stack_[104] = 0x1234;           // saved rbp
  stack_[105] = env_.In(kOutermost);
  for (int round = 0; round < 2; ++round) {
    const WalkResult result = WalkFrom(kFrame16, 100, 7, Known());
    EXPECT_EQ(result.end, WalkEnd::kComplete);
    ASSERT_EQ(result.depth, 3U);
    EXPECT_EQ(frames_[0], env_.In(kFrame16));
    EXPECT_EQ(frames_[1], env_.In(kSaves));
    EXPECT_EQ(frames_[2], env_.In(kOutermost));
    EXPECT_EQ(result.rules_parsed, round == 0 ? 3U : 0U);
  }
  EXPECT_EQ(env_.searches, 3);
}

TEST_F(WalkTest, CarriesRbpToTheFrameThatNeedsIt) {
  stack_[104 - 2] = At(200);  // kSaves at 100: rbp of the caller
  stack_[103] = env_.In(kBased);
  stack_[200] = 0;  // kBased: saved rbp
  stack_[201] = env_.In(kOutermost);
  const WalkResult result = WalkFrom(kSaves, 100, 0, Known());
  EXPECT_EQ(result.end, WalkEnd::kComplete);
  EXPECT_EQ(result.depth, 3U);
}

TEST_F(WalkTest, FollowsRealignedFrames) {
  stack_[150] = At(300);  // rbp points here: the saved rbp
  stack_[149] = At(160);  // the CFA, kept at rbp − 8
  stack_[159] = env_.In(kBased);
  stack_[300] = 0;
  stack_[301] = env_.In(kOutermost);
  const WalkResult result = WalkFrom(kRealigned, 120, At(150), Known());
  EXPECT_EQ(result.end, WalkEnd::kComplete);
  EXPECT_EQ(result.depth, 3U);
}

TEST_F(WalkTest, AZeroReturnAddressIsTheEnd) {
  stack_[101] = 0;
  const WalkResult result = WalkFrom(kFrame16, 100, 0, Known());
  EXPECT_EQ(result.end, WalkEnd::kComplete);
  EXPECT_EQ(result.depth, 1U);
}

TEST_F(WalkTest, SaysWhenItIsCutAtMaxDepth) {
  for (std::uint32_t i = 101; i < 200; i += 2) stack_[i] = env_.In(kFrame16);
  stack_[107] = env_.In(kOutermost);
  EXPECT_EQ(WalkFrom(kFrame16, 100, 0, Known(), 4).end, WalkEnd::kTruncated);
  EXPECT_EQ(WalkFrom(kFrame16, 100, 0, Known(), 4).depth, 4U);
  EXPECT_EQ(WalkFrom(kFrame16, 100, 0, Known(), 5).end, WalkEnd::kComplete);
  EXPECT_EQ(WalkFrom(kFrame16, 100, 0, Known(), 0).depth, 0U);
}

TEST_F(WalkTest, AFrameWithoutAUsableRuleLeavesTheStackIncomplete) {
  stack_[101] = env_.In(kUnusable);
  const WalkResult result = WalkFrom(kFrame16, 100, At(200), Known());
  EXPECT_EQ(result.end, WalkEnd::kNoRule);
  EXPECT_TRUE(result.incomplete());
  EXPECT_EQ(result.depth, 2U);
}

TEST_F(WalkTest, KernelAddressesAreNoCode) {
  stack_[101] = 0xffffffffff600000ULL;
  const WalkResult result = WalkFrom(kFrame16, 100, 0, Known());
  EXPECT_EQ(result.end, WalkEnd::kNoRule);
  EXPECT_EQ(result.depth, 1U);
}

// --- Bounds.

TEST_F(WalkTest, NothingAboveTheKnownTopIsRead) {
  stack_[99] = env_.In(kFrame16);
  EXPECT_EQ(WalkFrom(kFrame16, 98, 0, {At(0), At(101)}).end,
            WalkEnd::kOutOfBounds);
  EXPECT_EQ(WalkFrom(kBased, 98, At(kWords - 1), Known()).end,
            WalkEnd::kOutOfBounds);
  EXPECT_EQ(WalkFrom(kRealigned, 98, At(kWords) + 8, Known()).end,
            WalkEnd::kOutOfBounds);
}

TEST_F(WalkTest, TheCfaMustGrowAndBeAligned) {
  EXPECT_EQ(WalkFrom(kBased, 100, At(90), Known()).end, WalkEnd::kOutOfBounds);
  EXPECT_EQ(WalkFrom(kBased, 100, At(98), Known()).end, WalkEnd::kOutOfBounds);
  EXPECT_EQ(WalkFrom(kBased, 100, At(120) + 4, Known()).end,
            WalkEnd::kOutOfBounds);
  EXPECT_EQ(WalkFrom(kBased, 100, ~7ULL, Known()).end, WalkEnd::kOutOfBounds);
  stack_[149] = At(100);
  EXPECT_EQ(WalkFrom(kRealigned, 120, At(150), Known()).end,
            WalkEnd::kOutOfBounds);
}

TEST_F(WalkTest, AnUnknownStackAllowsShortSteps) {
  stack_[101] = env_.In(kOutermost);
  EXPECT_EQ(WalkFrom(kFrame16, 100, 0, {}).end, WalkEnd::kComplete);
  EXPECT_EQ(WalkFrom(kHuge, 100, 0, {}).end, WalkEnd::kOutOfBounds);
}

TEST_F(WalkTest, ALostRbpEndsTheWalkWhereItIsNeeded) {
  stack_[101] = env_.In(kBased);
  const WalkResult result = WalkFrom(kLosesRbp, 100, At(200), Known());
  EXPECT_EQ(result.end, WalkEnd::kOutOfBounds);
  EXPECT_EQ(result.depth, 2U);
}

// --- Code without CFI.

TEST_F(WalkTest, CodeWithoutCfiIsFollowedByFramePointers) {
  for (const std::uint64_t code : {kNoCfiCode, kForeignCode}) {
    stack_[120] = At(130);
    stack_[121] = env_.In(code);
    stack_[130] = 0;
    stack_[131] = env_.In(code);
    const WalkResult result = WalkFrom(code, 100, At(120), Known());
    EXPECT_EQ(result.end, WalkEnd::kComplete);
    EXPECT_EQ(result.depth, 3U);
    EXPECT_TRUE(result.used_frame_pointers);
  }
}

TEST_F(WalkTest, AFramePointerThatDoesNotQualifyEndsTheWalk) {
  EXPECT_EQ(WalkFrom(kForeignCode, 100, At(90), Known()).end, WalkEnd::kNoRule);
  EXPECT_EQ(WalkFrom(kForeignCode, 100, At(120) + 1, Known()).end,
            WalkEnd::kNoRule);
  EXPECT_EQ(WalkFrom(kForeignCode, 100, At(kWords - 1), Known()).end,
            WalkEnd::kNoRule);
}

TEST_F(WalkTest, OnAnUnknownStackAFramePointerMustLieOnThePageOfRsp) {
  stack_[506] = env_.In(kOutermost);
  EXPECT_EQ(WalkFrom(kForeignCode, 500, At(505), {}).end, WalkEnd::kComplete);
  EXPECT_EQ(WalkFrom(kForeignCode, 500, At(511), {}).end, WalkEnd::kNoRule);
  EXPECT_EQ(WalkFrom(kForeignCode, 500, At(512), {}).end, WalkEnd::kNoRule);
}

TEST_F(WalkTest, RulesOfCodeInNoModuleAreNotCached) {
  const int before = env_.searches;
  (void)WalkFrom(kForeignCode, 100, 0, Known());
  (void)WalkFrom(kForeignCode, 100, 0, Known());
  EXPECT_EQ(env_.searches - before, 2);
}

// --- Frames that hang on another register.

TEST_F(WalkTest, ARegisterThatAnInnerFrameSavedIsRecovered) {
  // kSavesRbx at 100 called kFrame16; then kByRbx, twice.
  stack_[97] = env_.In(kSavesRbx);
  stack_[98 + 1] = At(120);  // kSavesRbx's caller's rbx
  stack_[98 + 2] = env_.In(kByRbx);
  stack_[120] = At(140);  // rbx + 32 = CFA 124, rbx saved at CFA − 32
  stack_[123] = env_.In(kByRbx);
  stack_[143] = env_.In(kOutermost);
  for (int round = 0; round < 2; ++round) {
    const WalkResult result = WalkFrom(kFrame16, 96, 0, Known());
    EXPECT_EQ(result.end, WalkEnd::kComplete);
    EXPECT_EQ(result.depth, 5U);
    EXPECT_TRUE(result.used_recovery);
  }
}

TEST_F(WalkTest, ARegisterThatNobodySavedIsNotGuessed) {
  stack_[97] = env_.In(kByRbx);
  EXPECT_EQ(WalkFrom(kFrame16, 96, 0, Known()).end, WalkEnd::kNoRule);
  EXPECT_EQ(WalkFrom(kByRbx, 96, 0, Known()).end, WalkEnd::kNoRule);
}

TEST_F(WalkTest, ARegisterIsLostInCodeWithoutCfi) {
  stack_[98] = At(120);  // kSavesRbx at 97: rbx
  stack_[99] = env_.In(kForeignCode);
  stack_[110] = 0;
  stack_[111] = env_.In(kByRbx);
  const WalkResult result = WalkFrom(kSavesRbx, 97, At(110), Known());
  EXPECT_EQ(result.end, WalkEnd::kNoRule);
  EXPECT_EQ(result.depth, 3U);
}

TEST_F(WalkTest, ARecoveredRegisterIsCheckedLikeAnyOther) {
  stack_[98] = At(kWords + 8);
  stack_[99] = env_.In(kByRbx);
  EXPECT_EQ(WalkFrom(kSavesRbx, 97, 0, Known()).end, WalkEnd::kOutOfBounds);
}

TEST_F(WalkTest, ASignalFrameShowsEveryRegister) {
  stack_[11] = env_.In(kSignal);
  stack_[12 + kUcontextRip / 8] = env_.In(kByR10);
  stack_[12 + kUcontextRsp / 8] = At(200);
  stack_[12 + kUcontextGregs / 8 + 2] = At(220);  // REG_R10
  stack_[219] = env_.In(kOutermost);
  const WalkResult result = WalkFrom(kFrame16, 10, 0, Known());
  EXPECT_EQ(result.end, WalkEnd::kComplete);
  EXPECT_EQ(result.depth, 4U);
  // A call would have destroyed r10.
  stack_[11] = env_.In(kByR10);
  EXPECT_EQ(WalkFrom(kFrame16, 10, 0, Known()).end, WalkEnd::kNoRule);
}

// --- Signal frames.

TEST_F(WalkTest, GoesThroughASignalFrameToTheInterruptedInstruction) {
  // The handler kFrame16 at 10, the ucontext at 12, interrupted kLeaf at 200
  // with its rbp saved in the red zone.
  stack_[11] = env_.In(kSignal);
  stack_[12 + kUcontextRip / 8] = env_.In(kLeaf);
  stack_[12 + kUcontextRsp / 8] = At(200);
  stack_[12 + kUcontextRbp / 8] = 99;
  stack_[198] = At(210);
  stack_[200] = env_.In(kBased);
  stack_[211] = env_.In(kOutermost);
  for (const StackBounds& bounds :
       {Known(), StackBounds{At(150), At(kWords)}, StackBounds{}}) {
    const WalkResult result = WalkFrom(kFrame16, 10, 0, bounds);
    EXPECT_EQ(result.end, WalkEnd::kComplete);
    ASSERT_EQ(result.depth, 5U);
    EXPECT_EQ(frames_[1], env_.In(kSignal));
    EXPECT_EQ(frames_[2], env_.In(kLeaf) | kExactPcBit);
    EXPECT_EQ(frames_[3], env_.In(kBased));
  }
}

TEST_F(WalkTest, AnInterruptedPcIsLookedUpAsItIs) {
  // Interrupted at the first byte of kSaves: pc − 1 would be kFrame16.
  stack_[11] = env_.In(kSignal);
  stack_[12 + kUcontextRip / 8] = env_.In(kSaves) - 10;
  stack_[12 + kUcontextRsp / 8] = At(200);
  stack_[203] = env_.In(kOutermost);
  const WalkResult result = WalkFrom(kFrame16, 10, 0, Known());
  EXPECT_EQ(result.end, WalkEnd::kComplete);
  EXPECT_EQ(result.depth, 4U);
}

TEST_F(WalkTest, TheRedZoneIsNotReadBelowCalls) {
  stack_[200] = env_.In(kOutermost);
  EXPECT_EQ(WalkFrom(kLeaf, 200, 0, Known()).end, WalkEnd::kOutOfBounds);
}

TEST_F(WalkTest, ASignalFrameThatReachesPastTheTopIsNotRead) {
  EXPECT_EQ(WalkFrom(kSignal, kWords - 10, 0, Known()).end,
            WalkEnd::kOutOfBounds);
}

TEST_F(WalkTest, SignalFramesThatNameEachOtherEndAtMaxDepth) {
  stack_[12 + kUcontextRip / 8] = env_.In(kSignal);
  stack_[12 + kUcontextRsp / 8] = At(12);
  const WalkResult result = WalkFrom(kSignal, 12, 0, Known());
  EXPECT_EQ(result.end, WalkEnd::kTruncated);
  EXPECT_EQ(result.depth, kMaxDepth);
}

// --- Frame pointers alone.

TEST_F(WalkTest, FramePointersAloneFollowTheChain) {
  stack_[120] = At(130);
  stack_[121] = 0x1111;
  stack_[130] = 0;
  stack_[131] = 0x2222;
  const WalkResult result = WalkFramePointers({0x3333, At(100), At(120)},
                                              Known(), frames_, kMaxDepth);
  EXPECT_EQ(result.end, WalkEnd::kComplete);
  ASSERT_EQ(result.depth, 3U);
  EXPECT_EQ(frames_[1], 0x1111U);
  EXPECT_EQ(frames_[2], 0x2222U);
}

TEST_F(WalkTest, FramePointersAloneEndWhereTheChainTurnsBack) {
  stack_[120] = At(110);
  stack_[121] = 0x1111;
  const WalkResult result = WalkFramePointers({0x3333, At(100), At(120)},
                                              Known(), frames_, kMaxDepth);
  EXPECT_EQ(result.end, WalkEnd::kNoRule);
  EXPECT_EQ(result.depth, 2U);
}

}  // namespace
}  // namespace heapledger::preload::unwind
