// SPDX-License-Identifier: Apache-2.0
// Walks that take frames over, each against a plain walk over the same stack,
// which the test lays out in memory with a page above it that cannot be read.
#include "preload/unwind/incremental_walk.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>
#include <memory>
#include <vector>

#include "preload/unwind/walker.h"
#include "tests/support/no_alloc_guard.h"
#include "tests/unit/preload/unwind/eh_frame_builder.h"

namespace heapledger::preload::unwind {
namespace {

// Functions of 64 bytes each in the fake module, by what their CFI says.
constexpr std::uint64_t kFrame16 = 0;       // CFA = rsp + 16
constexpr std::uint64_t kFrame48 = 64;      // CFA = rsp + 48
constexpr std::uint64_t kSaves = 128;       // CFA = rsp + 32, rbp at CFA − 16
constexpr std::uint64_t kBased = 192;       // CFA = rbp + 16, rbp at CFA − 16
constexpr std::uint64_t kRealigned = 256;   // CFA = *(rbp − 8), rbp at *rbp
constexpr std::uint64_t kByWord = 320;      // CFA = *(rsp + 8)
constexpr std::uint64_t kOutermost = 384;   // return address undefined
constexpr std::uint64_t kUnusable = 448;    // CFA in rdx, which nobody knows
constexpr std::uint64_t kHuge = 512;        // CFA = rsp + 72 KiB
constexpr std::uint64_t kLosesRbp = 576;    // CFA = rsp + 16, rbp undefined
constexpr std::uint64_t kByRbx = 640;       // CFA = rbx + 32, rbx at CFA − 32
constexpr std::uint64_t kSavesRbx = 704;    // CFA = rsp + 24, rbx at CFA − 16
constexpr std::uint64_t kSignal = 1024;     // __restore_rt
constexpr std::uint64_t kAfterGap = 2048;   // a function with no CFI before it
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
                   .Fde(kFrame48, 64, {0x0e, 48})
                   .Fde(kSaves, 64, {0x0e, 32, 0x86, 2})
                   .Fde(kBased, 64, {0x0c, 6, 16, 0x86, 2})
                   .Fde(kRealigned, 64,
                        {0x0f, 3, 0x76, 0x78, 0x06, 0x10, 6, 2, 0x76, 0})
                   .Fde(kByWord, 64, {0x0f, 3, 0x77, 0x08, 0x06})
                   .Fde(kOutermost, 64, {0x07, 16})
                   .Fde(kUnusable, 64, {0x0f, 1, 0x96})
                   .Fde(kHuge, 64, {0x0e, 0x80, 0xc0, 0x04})
                   .Fde(kLosesRbp, 64, {0x0e, 16, 0x07, 6})
                   .Fde(kByRbx, 64, {0x0c, 3, 32, 0x83, 4})
                   .Fde(kSavesRbx, 64, {0x0e, 24, 0x83, 2})
                   .Cie(UsualInitial(), "zRS")
                   .Fde(kSignal, 64, {0x10, 16, 3, 0x77, 0xa8, 0x01})
                   .Cie()
                   .Fde(kAfterGap, 64, {0x0e, 16})
                   .Build();
  }

  RuleCache& rule_cache() { return cache_; }
  bool FindSection(std::uint64_t pc, EhFrameSection* section) {
    if (pc - builder_.code() >= kForeignCode) return false;
    *section = section_;
    return true;
  }

  // Return addresses into a function: eight that differ.
  std::uint64_t In(std::uint64_t function, std::uint64_t which = 0) const {
    return builder_.code() + function + 10 + which % 8;
  }
  // What makecontext plants to run a function after the outermost one.
  std::uint64_t Planted() const { return builder_.code() + kAfterGap; }

 private:
  std::unique_ptr<RuleCache::Entry[]> entries_;
  std::unique_ptr<RuleDictionary::Slot[]> slots_;
  RuleCache cache_;
  EhFrameBuilder builder_;
  EhFrameSection section_;
};
static_assert(WalkEnv<FakeEnv>);

// Words with a page on either side that cannot be read.
class GuardedWords {
 public:
  explicit GuardedWords(std::uint32_t words) : words_(words) {
    base_ =
        static_cast<char*>(mmap(nullptr, bytes() + 2 * kStackPageBytes,
                                PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    Protect(0, words, PROT_READ | PROT_WRITE);
  }
  ~GuardedWords() { munmap(base_, bytes() + 2 * kStackPageBytes); }
  GuardedWords(const GuardedWords&) = delete;
  GuardedWords& operator=(const GuardedWords&) = delete;

  void Protect(std::uint32_t first, std::uint32_t end, int protection) {
    ASSERT_EQ(mprotect(&(*this)[first], (end - first) * 8ULL, protection), 0);
  }
  std::uint64_t& operator[](std::uint32_t word) const {
    return reinterpret_cast<std::uint64_t*>(base_ + kStackPageBytes)[word];
  }
  std::uint64_t At(std::uint32_t word) const {
    return reinterpret_cast<std::uint64_t>(base_ + kStackPageBytes) +
           word * 8ULL;
  }
  std::uint32_t size() const { return words_; }

 private:
  std::size_t bytes() const { return words_ * 8ULL; }
  std::uint32_t words_;
  char* base_;
};

class IncrementalWalkTest : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kPage = 512;  // in words
  static constexpr std::uint32_t kWords = 64 * kPage;
  static constexpr std::uint32_t kMaxDepth = 64;

  std::uint64_t At(std::uint32_t word) const { return stack_.At(word); }
  std::uint64_t In(std::uint64_t function, std::uint64_t which = 0) const {
    return env_.In(function, which);
  }
  StackBounds Known() const { return {At(0), At(kWords)}; }

  // How many frames the walk took over; the result is the plain walk's.
  std::uint32_t Taken(const Registers& start, const StackBounds& bounds,
                      std::uint32_t max_depth = kMaxDepth) {
    WalkResult plain;
    {
      const testing::NoAllocGuard guard;
      plain = Walk(env_, start, bounds, frames_.data(), max_depth);
      result_ = WalkFromLast(env_, start, bounds, max_depth, last_.get());
    }
    same_ = Same(plain);
    EXPECT_TRUE(same_);
    EXPECT_LE(result_.depth, max_depth);
    // Taken over frames keep their node.
    std::uint32_t taken = 0;
    for (std::uint32_t i = LastStack::kOutermost; i <= last_->top; ++i) {
      if (last_->facts[i].links.node != 0) ++taken;
      last_->facts[i].links.node = 1;
    }
    return taken;
  }
  std::uint32_t Taken(std::uint64_t pc, std::uint32_t rsp,
                      std::uint64_t rbp = 0) {
    return Taken({pc, At(rsp), rbp}, Known());
  }

  bool Same(const WalkResult& plain) const {
    if (result_.depth != plain.depth || result_.end != plain.end ||
        last_->depth() != plain.depth) {
      return false;
    }
    std::uint64_t hash = kEmptyStackHash;
    for (std::uint32_t i = 0; i < plain.depth; ++i) {
      if (last_->places[last_->top - i].pc != frames_[i]) return false;
      hash = ExtendStackHash(hash, frames_[plain.depth - 1 - i]);
    }
    return last_->hash() == hash;
  }

  // Frames of two words from `rsp` on, then an outermost one. Which of each
  // function's return addresses it is goes by `which`.
  void LayPlain(std::uint32_t rsp, std::uint32_t count,
                std::uint64_t which = 0) {
    for (std::uint32_t i = 1; i < count; ++i, rsp += 2) {
      stack_[rsp + 1] = In(kFrame16, which + i);
    }
    stack_[rsp + 1] = In(kOutermost);
  }

  FakeEnv env_;
  GuardedWords stack_{kWords};
  std::unique_ptr<LastStack> last_{new LastStack()};
  std::array<std::uint64_t, ledger::kMaxStackDepth> frames_{};
  WalkResult result_;
  bool same_ = true;
};

// --- What is taken over.

TEST_F(IncrementalWalkTest, TheSameStackIsTakenOverWhole) {
  LayPlain(100, 9);
  EXPECT_EQ(Taken(In(kFrame16), 100), 0U);
  EXPECT_EQ(Taken(In(kFrame16), 100), 10U);
  EXPECT_EQ(result_.depth, 10U);
  EXPECT_EQ(result_.rules_parsed, 0U);
}

TEST_F(IncrementalWalkTest, OneChangedFrameCostsOneStep) {
  LayPlain(100, 9);
  EXPECT_EQ(Taken(In(kFrame16), 100), 0U);
  EXPECT_EQ(Taken(In(kFrame16, 5), 100), 9U);
  EXPECT_EQ(Taken(In(kFrame16, 5), 100), 10U);
}

TEST_F(IncrementalWalkTest, DeeperAndShallowerStacksShareTheirOuterFrames) {
  LayPlain(100, 9);
  EXPECT_EQ(Taken(In(kFrame16), 100), 0U);
  stack_[97] = In(kFrame16);
  stack_[91] = In(kFrame48);
  stack_[92 + 5] = In(kFrame16, 3);
  stack_[99] = In(kFrame16);
  EXPECT_EQ(Taken(In(kFrame16), 90), 10U);
  EXPECT_EQ(result_.depth, 13U);
  EXPECT_EQ(Taken(In(kFrame16, 1), 102), 9U);
  EXPECT_EQ(Taken(In(kFrame16, 1), 102), 9U);
  // What was inside is gone.
  EXPECT_EQ(Taken(In(kFrame16), 90), 9U);
}

TEST_F(IncrementalWalkTest, ReentryAtTheSameAddressFromElsewhereIsSeen) {
  LayPlain(100, 9);
  EXPECT_EQ(Taken(In(kFrame16), 100), 0U);
  // The fifth frame's caller returned, and another one called it there.
  stack_[109] = In(kFrame16, 7);
  EXPECT_EQ(Taken(In(kFrame16), 100), 4U);
  EXPECT_EQ(Taken(In(kFrame16), 100), 10U);
  // By one with another frame.
  stack_[109] = In(kFrame48);
  stack_[115] = In(kFrame16, 1);
  EXPECT_EQ(Taken(In(kFrame16), 100), 1U);
  EXPECT_EQ(result_.depth, 8U);
}

TEST_F(IncrementalWalkTest, EveryWordOfTheStackCounts) {
  for (std::uint32_t changed = 0; changed < 20; ++changed) {
    LayPlain(100, 20);
    (void)Taken(In(kFrame16), 100);
    stack_[101 + 2 * changed] = In(kFrame16, changed + 2);
    stack_[141] = In(kOutermost);
    EXPECT_EQ(Taken(In(kFrame16), 100), changed == 19 ? 0U : 19 - changed);
  }
}

TEST_F(IncrementalWalkTest, ForgottenFramesAreNotTakenOver) {
  LayPlain(100, 9);
  EXPECT_EQ(Taken(In(kFrame16), 100), 0U);
  last_->Forget();
  EXPECT_EQ(Taken(In(kFrame16), 100), 0U);
  EXPECT_EQ(Taken(In(kFrame16), 100), 10U);
}

TEST_F(IncrementalWalkTest, AStackOfOneFrameAndOfNone) {
  EXPECT_EQ(Taken(In(kOutermost), 100), 0U);
  EXPECT_EQ(Taken(In(kOutermost), 100), 1U);
  EXPECT_EQ(Taken(0, 100), 0U);
  EXPECT_EQ(result_.depth, 0U);
  EXPECT_EQ(last_->hash(), kEmptyStackHash);
  EXPECT_EQ(Taken(In(kOutermost), 100), 0U);
}

// --- The end of the stack.

TEST_F(IncrementalWalkTest, AZeroReturnAddressIsAWordOfTheStack) {
  LayPlain(100, 5);
  stack_[109] = 0;
  EXPECT_EQ(Taken(In(kFrame16), 100), 0U);
  EXPECT_EQ(result_.depth, 5U);
  EXPECT_EQ(Taken(In(kFrame16), 100), 5U);
  stack_[109] = In(kFrame16);
  stack_[111] = In(kOutermost);
  EXPECT_EQ(Taken(In(kFrame16), 100), 0U);
  EXPECT_EQ(result_.depth, 7U);
}

TEST_F(IncrementalWalkTest, BeyondAnUndefinedReturnAddressNothingCounts) {
  LayPlain(100, 5);
  EXPECT_EQ(Taken(In(kFrame16), 100), 0U);
  stack_[111] = 0x1234;
  EXPECT_EQ(Taken(In(kFrame16), 100), 6U);
}

TEST_F(IncrementalWalkTest, APlantedReturnAddressIsAnEnd) {
  LayPlain(100, 5);
  stack_[109] = env_.Planted();
  EXPECT_EQ(Taken(In(kFrame16), 100), 0U);
  EXPECT_EQ(result_.depth, 6U);
  // Even where rbp would lead on.
  EXPECT_EQ(Taken(In(kFrame16), 100, At(200)), 6U);
}

// --- rbp.

TEST_F(IncrementalWalkTest, RbpMustBeTheSameWhereAnOuterFrameUsesIt) {
  LayPlain(100, 3);
  stack_[105] = In(kBased);
  for (const std::uint32_t base : {200U, 300U}) {
    stack_[base] = 0;
    stack_[base + 1] = In(kFrame16, base / 100);
    stack_[base + 3] = In(kOutermost);
  }
  EXPECT_EQ(Taken(In(kFrame16), 100, At(200)), 0U);
  EXPECT_EQ(result_.depth, 6U);
  EXPECT_EQ(Taken(In(kFrame16), 100, At(200)), 6U);
  EXPECT_EQ(Taken(In(kFrame16), 100, At(300)), 0U);
  EXPECT_EQ(Taken(In(kFrame16), 100, At(300)), 6U);
}

TEST_F(IncrementalWalkTest, RbpIsFreeWhereAnInnerFrameRestoresIt) {
  // kFrame16, kSaves, kFrame16, kBased, kFrame16, kOutermost.
  stack_[101] = In(kSaves);
  stack_[104] = At(200);
  stack_[105] = In(kFrame16);
  stack_[107] = In(kBased);
  LayPlain(200, 2);
  EXPECT_EQ(Taken(In(kFrame16), 100, 77), 0U);
  EXPECT_EQ(result_.depth, 6U);
  EXPECT_EQ(Taken(In(kFrame16), 100, At(300)), 6U);
  EXPECT_EQ(Taken(In(kFrame16, 1), 100, 0), 5U);
  EXPECT_EQ(Taken(In(kFrame16), 102, 5), 0U);  // another stack altogether
}

TEST_F(IncrementalWalkTest, TheSlotThatRbpIsRestoredFromCounts) {
  stack_[101] = In(kSaves);
  stack_[104] = At(200);
  stack_[105] = In(kBased);
  LayPlain(200, 3);
  LayPlain(300, 2, 4);
  EXPECT_EQ(Taken(In(kFrame16), 100), 0U);
  EXPECT_EQ(Taken(In(kFrame16), 100), 6U);
  // No return address changes.
  stack_[104] = At(300);
  EXPECT_EQ(Taken(In(kFrame16), 100), 0U);
  EXPECT_EQ(result_.depth, 5U);
  // Beyond the frame that uses it all is free.
  stack_[200] = 0x1234;
  stack_[300] = 0x1234;
  EXPECT_EQ(Taken(In(kFrame16), 100), 5U);
}

TEST_F(IncrementalWalkTest, ASlotThatNobodyUsesIsFree) {
  stack_[101] = In(kSaves);
  stack_[104] = At(200);
  stack_[105] = In(kFrame16);
  stack_[107] = In(kOutermost);
  EXPECT_EQ(Taken(In(kFrame16), 100), 0U);
  stack_[104] = 0x1234;
  EXPECT_EQ(Taken(In(kFrame16), 100), 4U);
}

TEST_F(IncrementalWalkTest, ADependenceOnRbpSurvivesPartialReuse) {
  // The frame based on rbp is taken over, then one of those that pass rbp.
  LayPlain(100, 6);
  stack_[105] = In(kBased);
  LayPlain(200, 2);
  LayPlain(300, 2, 5);
  EXPECT_EQ(Taken(In(kFrame16), 100, At(200)), 0U);
  EXPECT_EQ(Taken(In(kFrame16, 1), 100, At(200)), 5U);
  EXPECT_EQ(Taken(In(kFrame16, 2), 100, At(300)), 0U);
  EXPECT_EQ(Taken(In(kFrame16, 3), 100, At(300)), 5U);
  EXPECT_EQ(Taken(In(kFrame16, 3), 100, At(200)), 0U);
}

TEST_F(IncrementalWalkTest, WhatRbpWasWhenNobodyNeededItIsNotBelieved) {
  // First seen with another rbp inside than what kSaves restores it to now.
  stack_[101] = In(kSaves);
  stack_[104] = At(300);
  stack_[105] = In(kFrame16);
  stack_[107] = In(kOutermost);
  EXPECT_EQ(Taken(In(kFrame16), 100, 1), 0U);
  EXPECT_EQ(Taken(In(kFrame16), 100, 2), 4U);
  // Now the caller's caller uses it.
  stack_[107] = In(kBased);
  LayPlain(200, 2);
  LayPlain(300, 2, 5);
  EXPECT_EQ(Taken(In(kFrame16), 100, 3), 0U);
  stack_[104] = At(200);
  EXPECT_EQ(Taken(In(kFrame16), 100, 4), 0U);
  EXPECT_EQ(Taken(In(kFrame16), 100, 5), 6U);
}

TEST_F(IncrementalWalkTest, ALostRbpThatIsNotNeededIsNoObstacle) {
  stack_[101] = In(kLosesRbp);
  stack_[103] = In(kFrame16);
  stack_[105] = In(kOutermost);
  EXPECT_EQ(Taken(In(kFrame16), 100, 1), 0U);
  EXPECT_EQ(Taken(In(kFrame16), 100, 2), 4U);
}

// --- Realigned frames.

TEST_F(IncrementalWalkTest, TheWordsOfARealignedFrameCount) {
  stack_[101] = In(kRealigned);
  stack_[150] = At(300);  // rbp points here: the saved rbp
  stack_[149] = At(160);  // the CFA
  stack_[159] = In(kBased);
  stack_[169] = In(kFrame16);
  stack_[171] = In(kOutermost);
  LayPlain(300, 2);
  LayPlain(310, 3);
  EXPECT_EQ(Taken(In(kFrame16), 100, At(150)), 0U);
  EXPECT_EQ(result_.depth, 5U);
  EXPECT_EQ(Taken(In(kFrame16), 100, At(150)), 5U);
  stack_[150] = At(310);
  EXPECT_EQ(Taken(In(kFrame16), 100, At(150)), 0U);
  EXPECT_EQ(result_.depth, 6U);
  EXPECT_EQ(Taken(In(kFrame16), 100, At(150)), 6U);
  stack_[149] = At(170);  // returns to kFrame16 now
  EXPECT_EQ(Taken(In(kFrame16), 100, At(150)), 0U);
  EXPECT_EQ(result_.depth, 4U);
  EXPECT_EQ(Taken(In(kFrame16), 100, At(150)), 4U);
  // Nobody uses the rbp that it restores.
  stack_[150] = 0x1234;
  EXPECT_EQ(Taken(In(kFrame16), 100, At(150)), 4U);
  // The frame inside of it has it from elsewhere.
  stack_[180] = At(300);
  stack_[179] = At(160);
  EXPECT_EQ(Taken(In(kFrame16), 100, At(180)), 0U);
  EXPECT_EQ(result_.depth, 5U);
}

TEST_F(IncrementalWalkTest, ACfaThatIsReadThroughRspCounts) {
  stack_[101] = In(kByWord);
  stack_[103] = At(112);  // kByWord at 102: its CFA
  stack_[111] = In(kOutermost);
  stack_[121] = In(kFrame16);
  stack_[123] = In(kOutermost);
  EXPECT_EQ(Taken(In(kFrame16), 100), 0U);
  EXPECT_EQ(Taken(In(kFrame16), 100, 8), 3U);
  stack_[103] = At(122);
  EXPECT_EQ(Taken(In(kFrame16), 100), 0U);
  EXPECT_EQ(result_.depth, 4U);
}

TEST_F(IncrementalWalkTest, AStackWithMoreExtraWordsThanRoomIsNotKept) {
  constexpr std::uint32_t kFrames = LastStack::kMaxExtras;
  for (const std::uint32_t more : {0U, 1U}) {
    std::uint32_t rsp = 1000;
    for (std::uint32_t i = 0; i < kFrames + more; ++i, rsp += 3) {
      stack_[rsp + 1] = At(rsp + 3);
      stack_[rsp + 2] = In(kByWord, i);
    }
    stack_[rsp - 1] = In(kOutermost);
    for (int round = 0; round < 3; ++round) {
      const std::uint32_t taken =
          Taken({In(kByWord), At(1000), 0}, Known(), ledger::kMaxStackDepth);
      EXPECT_EQ(taken, round > 0 && more == 0 ? LastStack::kMaxExtras + 1 : 0U);
    }
  }
}

// --- Depth.

TEST_F(IncrementalWalkTest, ACutStackIsNotKept) {
  LayPlain(100, 20);
  EXPECT_EQ(Taken({In(kFrame16), At(100), 0}, Known(), 20), 0U);
  EXPECT_EQ(result_.end, WalkEnd::kTruncated);
  EXPECT_EQ(Taken({In(kFrame16), At(100), 0}, Known(), 20), 0U);
  EXPECT_EQ(Taken({In(kFrame16), At(102), 0}, Known(), 20), 0U);
}

TEST_F(IncrementalWalkTest, NoMoreIsTakenOverThanThereIsRoomFor) {
  for (std::uint32_t inside = 1; inside < 8; ++inside) {
    LayPlain(100, 12);
    const Registers outer{In(kFrame16, 7), At(114), 0};
    const Registers inner{In(kFrame16), At(114 - 2 * inside), 0};
    last_->Forget();
    EXPECT_EQ(Taken(outer, Known()), 0U);
    ASSERT_EQ(result_.depth, 6U);
    EXPECT_EQ(Taken(inner, Known(), 6 + inside), 6U);
    EXPECT_EQ(result_.end, WalkEnd::kComplete);
    last_->Forget();
    EXPECT_EQ(Taken(outer, Known()), 0U);
    EXPECT_EQ(Taken(inner, Known(), 5 + inside), 0U);
    EXPECT_EQ(result_.end, WalkEnd::kTruncated);
    EXPECT_EQ(result_.depth, 5 + inside);
  }
}

TEST_F(IncrementalWalkTest, DepthZeroAndTheGreatestDepth) {
  LayPlain(100, 20);
  EXPECT_EQ(Taken(In(kFrame16), 100), 0U);
  EXPECT_EQ(Taken({In(kFrame16), At(100), 0}, Known(), 0), 0U);
  EXPECT_EQ(result_.end, WalkEnd::kTruncated);
  constexpr std::uint32_t kDeepest = ledger::kMaxStackDepth;
  LayPlain(1000, kDeepest);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(Taken({In(kFrame16), At(1000), 0}, Known(), kDeepest), 0U);
    EXPECT_EQ(result_.end, WalkEnd::kTruncated);
  }
  EXPECT_EQ(Taken({In(kFrame16), At(1002), 0}, Known(), kDeepest), 0U);
  EXPECT_EQ(Taken({In(kFrame16), At(1002), 0}, Known(), kDeepest), kDeepest);
}

// --- What is not kept.

TEST_F(IncrementalWalkTest, ASignalFrameIsNotKeptButWhatIsBeyondIsTaken) {
  LayPlain(200, 4);
  stack_[11] = In(kSignal);
  stack_[12 + kUcontextRip / 8] = In(kFrame16, 3);
  stack_[12 + kUcontextRsp / 8] = At(198);
  stack_[199] = In(kFrame16, 4);
  EXPECT_EQ(Taken(In(kFrame16, 4), 200), 0U);
  EXPECT_EQ(Taken(In(kFrame16), 10), 5U);
  EXPECT_EQ(result_.depth, 8U);
  EXPECT_EQ(last_->places[last_->top - 2].pc, In(kFrame16, 3) | kExactPcBit);
  EXPECT_EQ(Taken(In(kFrame16), 10), 0U);
  EXPECT_EQ(Taken(In(kFrame16, 4), 200), 0U);
  EXPECT_EQ(Taken(In(kFrame16), 10), 5U);
}

TEST_F(IncrementalWalkTest, AnInterruptedFrameIsNoReturnAddress) {
  // The handler interrupted kFrame16 right where it had called before.
  LayPlain(200, 4);
  EXPECT_EQ(Taken(In(kFrame16, 3), 200), 0U);
  stack_[11] = In(kSignal);
  stack_[12 + kUcontextRip / 8] = In(kFrame16, 3);
  stack_[12 + kUcontextRsp / 8] = At(200);
  EXPECT_EQ(Taken(In(kFrame16), 10), 4U);
}

TEST_F(IncrementalWalkTest, ASignalFrameMayLeadToAnyStack) {
  // The handler's stack is above that of the code that it interrupted.
  LayPlain(200, 4);
  EXPECT_EQ(Taken(In(kFrame16, 4), 200), 0U);
  stack_[1011] = In(kSignal);
  stack_[1012 + kUcontextRip / 8] = In(kFrame16, 3);
  stack_[1012 + kUcontextRsp / 8] = At(198);
  stack_[199] = In(kFrame16, 4);
  (void)Taken(In(kFrame16), 1010);
  EXPECT_EQ(result_.depth, 8U);
  // To itself, for as long as there is room.
  stack_[1012 + kUcontextRip / 8] = In(kSignal) | 0;
  stack_[1012 + kUcontextRsp / 8] = At(1012);
  (void)Taken(In(kFrame16), 1010);
  EXPECT_EQ(result_.end, WalkEnd::kTruncated);
  stack_[1012 + kUcontextRip / 8] = 0;
  (void)Taken(In(kFrame16), 1010);
  EXPECT_EQ(result_.end, WalkEnd::kComplete);
  stack_[1012 + kUcontextRip / 8] = 0xffffffffff600000ULL;
  (void)Taken(In(kFrame16), 1010);
  EXPECT_EQ(result_.end, WalkEnd::kNoRule);
}

TEST_F(IncrementalWalkTest, CodeWithoutCfiIsNotKeptButWhatIsBeyondIsTaken) {
  for (const std::uint64_t code : {kNoCfiCode, kForeignCode}) {
    LayPlain(200, 4);
    stack_[101] = In(code);
    stack_[150] = At(250);
    stack_[151] = In(kFrame16, 6);
    LayPlain(152, 3);
    last_->Forget();
    EXPECT_EQ(Taken(In(kFrame16, 6), 152), 0U);
    EXPECT_EQ(Taken(In(kFrame16), 100, At(150)), 4U);
    EXPECT_EQ(result_.depth, 6U);
    EXPECT_EQ(Taken(In(kFrame16), 100, At(150)), 0U);
  }
}

TEST_F(IncrementalWalkTest, AStackOnWhichARegisterWasRecoveredIsNotKept) {
  stack_[97] = In(kSavesRbx);
  stack_[99] = At(120);
  stack_[100] = In(kByRbx);
  stack_[123] = In(kFrame16);
  stack_[125] = In(kOutermost);
  EXPECT_EQ(Taken(In(kFrame16), 124), 0U);
  EXPECT_EQ(Taken(In(kFrame16), 96), 2U);
  EXPECT_EQ(result_.depth, 5U);
  EXPECT_EQ(Taken(In(kFrame16), 96), 0U);
}

TEST_F(IncrementalWalkTest, AStackThatEndedEarlyIsNotKept) {
  LayPlain(100, 5);
  stack_[109] = In(kUnusable);
  EXPECT_EQ(Taken(In(kFrame16), 100), 0U);
  EXPECT_EQ(result_.end, WalkEnd::kNoRule);
  EXPECT_EQ(Taken(In(kFrame16), 100), 0U);
  stack_[109] = In(kHuge);
  EXPECT_EQ(Taken({In(kFrame16), At(100), 0}, {}), 0U);
  EXPECT_EQ(result_.end, WalkEnd::kOutOfBounds);
  EXPECT_EQ(Taken({In(kFrame16), At(100), 0}, {}), 0U);
  stack_[109] = 0xffffffffff600000ULL;
  EXPECT_EQ(Taken(In(kFrame16), 100), 0U);
  EXPECT_EQ(result_.end, WalkEnd::kNoRule);
  EXPECT_EQ(Taken(In(kFrame16), 100), 0U);
}

// --- Stacks of unknown extent: nothing is read that a walk would not read.

TEST_F(IncrementalWalkTest, OnAnUnknownStackNothingBeyondAChangeIsRead) {
  // The first change is in the last word before the page that goes away.
  for (std::uint32_t inner = 1; inner <= 9; ++inner) {
    last_->Forget();
    const std::uint32_t rsp = 2 * kPage - 2 * inner;
    LayPlain(rsp, inner + 12);
    EXPECT_EQ(Taken({In(kFrame16), At(rsp), 0}, {}), 0U);
    EXPECT_EQ(Taken({In(kFrame16), At(rsp), 0}, {}), inner + 13);
    stack_.Protect(2 * kPage, 3 * kPage, PROT_NONE);
    stack_[2 * kPage - 1] = In(kOutermost);
    EXPECT_EQ(Taken({In(kFrame16), At(rsp), 0}, {}), 0U);
    EXPECT_EQ(result_.depth, inner + 1);
    stack_.Protect(2 * kPage, 3 * kPage, PROT_READ | PROT_WRITE);
  }
}

TEST_F(IncrementalWalkTest, OnAnUnknownStackExtraWordsAreNotRead) {
  // A realigned frame whose words lie on the page that goes away.
  stack_[kPage - 1] = In(kRealigned);
  stack_[kPage + 50] = 0;
  stack_[kPage + 49] = At(kPage + 60);
  stack_[kPage + 59] = In(kOutermost);
  const Registers start{In(kFrame16), At(kPage - 2), At(kPage + 50)};
  EXPECT_EQ(Taken(start, {}), 0U);
  EXPECT_EQ(Taken(start, {}), 1U);  // kOutermost hangs on none
  stack_.Protect(kPage, 2 * kPage, PROT_NONE);
  stack_[kPage - 1] = In(kOutermost);
  EXPECT_EQ(Taken(start, {}), 0U);
  stack_.Protect(kPage, 2 * kPage, PROT_READ | PROT_WRITE);
}

TEST_F(IncrementalWalkTest, ComingBackToTheOwnStackWordsAreReadInOrder) {
  // The last walk was on a coroutine's stack above ours, now gone.
  const StackBounds own{At(0), At(kPage)};
  LayPlain(2 * kPage, 12);
  EXPECT_EQ(Taken({In(kFrame16), At(2 * kPage), 0}, own), 0U);
  stack_.Protect(2 * kPage, 3 * kPage, PROT_NONE);
  LayPlain(100, 5);
  EXPECT_EQ(Taken({In(kFrame16), At(100), 0}, own), 0U);
  EXPECT_EQ(Taken({In(kFrame16), At(100), 0}, own), 6U);
  stack_.Protect(2 * kPage, 3 * kPage, PROT_READ | PROT_WRITE);
  EXPECT_EQ(Taken({In(kFrame16), At(2 * kPage), 0}, own), 0U);
  EXPECT_EQ(Taken({In(kFrame16), At(2 * kPage), 0}, own), 13U);
}

TEST_F(IncrementalWalkTest, NothingAboveTheTopIsRead) {
  LayPlain(kWords - 12, 6);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(Taken(In(kFrame16), kWords - 12), round * 7U);
  }
  stack_[kWords - 1] = In(kFrame16);
  EXPECT_EQ(Taken(In(kFrame16), kWords - 12), 0U);
  EXPECT_EQ(result_.end, WalkEnd::kOutOfBounds);
}

TEST_F(IncrementalWalkTest, WhatOneStackAllowsAnotherMayNot) {
  // A step of 72 KiB: right on the thread's own stack, as far as that is known
  // to reach down; too far on any other.
  constexpr std::uint32_t kBelow = 3000;
  constexpr std::uint32_t kStep = 72 * 1024 / 8;
  const StackBounds own{At(kBelow + 2), At(kWords)};
  stack_[kBelow + 1] = In(kFrame16, 1);
  stack_[kBelow + 3] = In(kHuge);
  LayPlain(kBelow + 4 + kStep - 2, 3);
  EXPECT_EQ(Taken({In(kFrame16, 1), At(kBelow + 2), 0}, own), 0U);
  EXPECT_EQ(result_.end, WalkEnd::kComplete);
  EXPECT_EQ(Taken({In(kFrame16), At(kBelow), 0}, own), 0U);
}

// --- Whatever happens to a stack.

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15ULL;
    return Mix(state_, state_ >> 7);
  }
  std::uint32_t Below(std::uint32_t end) {
    return static_cast<std::uint32_t>(Next() >> 33) % end;
  }
  bool Chance(std::uint32_t percent) { return Below(100) < percent; }

 private:
  std::uint64_t state_;
};

class RandomStacksTest : public IncrementalWalkTest {
 protected:
  struct Frame {
    std::uint64_t pc;
    std::uint32_t rsp;
    std::uint64_t rbp;
    bool is_call;  // else interrupted, or a frame that cannot be a start
  };

  // A new outermost frame.
  void Begin() {
    frames_of_stack_.clear();
    const std::uint32_t rsp = kWords - 64 - random_.Below(8);
    const std::uint64_t rbp = random_.Chance(50) ? 0 : At(rsp + 4);
    stack_[rsp + 1] = 0;
    for (std::uint32_t i = 2; i < 8; ++i) stack_[rsp + i] = random_.Next();
    const std::uint64_t ends[] = {
        In(kFrame16, random_.Below(2)), In(kOutermost, random_.Below(2)),
        env_.Planted(), In(kUnusable), In(kForeignCode)};
    // The unusual ends come seldom.
    const std::uint32_t end = random_.Below(random_.Chance(90) ? 3 : 5);
    frames_of_stack_.push_back({ends[end], rsp, rbp, true});
  }

  // Calls a function from the innermost frame.
  void Call() {
    const Frame outer = frames_of_stack_.back();
    if (outer.rsp < 1000 || frames_of_stack_.size() > 300) return;
    const std::uint64_t which = random_.Below(3);
    const std::uint32_t cfa = outer.rsp;
    const std::uint32_t room = random_.Below(6);
    Frame frame{0, cfa - 2, outer.rbp, true};
    const auto function = Pick(cfa);
    frame.pc = In(function, which);
    switch (function) {
      case kFrame48:
        frame.rsp = cfa - 6;
        break;
      case kSaves:
        frame.rsp = cfa - 4;
        stack_[cfa - 2] = outer.rbp;
        frame.rbp = random_.Chance(50) ? random_.Next() : AnyAddress();
        break;
      case kBased:
      case kNoCfiCode:
      case kForeignCode:
        stack_[cfa - 2] = outer.rbp;
        frame.rbp = At(cfa - 2);
        frame.rsp = cfa - 2 - room;
        break;
      case kRealigned: {
        const std::uint32_t base = cfa - 2 - random_.Below(5);
        stack_[base] = outer.rbp;
        stack_[base - 1] = At(cfa);
        frame.rbp = At(base);
        frame.rsp = base - 1 - room;
        break;
      }
      case kByWord:
        frame.rsp = cfa - 3 - room;
        stack_[frame.rsp + 1] = At(cfa);
        break;
      case kHuge:
        frame.rsp = cfa - 72 * 1024 / 8;
        break;
      case kSignal:
        frame.rsp = cfa - 60;
        frame.rbp = outer.rbp;
        stack_[frame.rsp + kUcontextRip / 8] = outer.pc;
        stack_[frame.rsp + kUcontextRsp / 8] = At(outer.rsp);
        stack_[frame.rsp + kUcontextRbp / 8] = outer.rbp;
        frames_of_stack_.back().is_call = false;
        frames_of_stack_.push_back(frame);
        return;
      case kByRbx:
        stack_[cfa - 4] = random_.Next();
        stack_[cfa - 1] = outer.pc;
        frame.rsp = cfa - 4 - room;
        frame.is_call = false;
        frames_of_stack_.push_back(frame);
        stack_[frame.rsp - 1] = frame.pc;
        stack_[frame.rsp - 2] = At(cfa - 4);
        frames_of_stack_.push_back(
            {In(kSavesRbx, which), frame.rsp - 3, outer.rbp, true});
        return;
      default:
        break;
    }
    stack_[cfa - 1] = outer.pc;
    frames_of_stack_.push_back(frame);
  }

  std::uint64_t Pick(std::uint32_t cfa) {
    if (random_.Chance(2)) {
      constexpr std::uint64_t kUnusual[] = {kLosesRbp, kNoCfiCode, kForeignCode,
                                            kSignal, kByRbx};
      return kUnusual[random_.Below(5)];
    }
    if (cfa > kWords / 2 && random_.Chance(3)) return kHuge;
    constexpr std::uint64_t kUsual[] = {kFrame16, kFrame16,   kFrame48, kSaves,
                                        kBased,   kRealigned, kByWord};
    return kUsual[random_.Below(7)];
  }

  std::uint64_t AnyAddress() {
    const Frame& near = frames_of_stack_[random_.Below(
        static_cast<std::uint32_t>(frames_of_stack_.size()))];
    return At(near.rsp + random_.Below(12));
  }

  std::uint64_t AnyWord() {
    switch (random_.Below(4)) {
      case 0:
        return AnyAddress();
      case 1:
        return In(random_.Below(13) * 64ULL, random_.Below(3));
      case 2:
        return 0;
      default:
        return random_.Next() >> random_.Below(64);
    }
  }

  std::uint32_t AnyFrame() {
    const auto count = static_cast<std::uint32_t>(frames_of_stack_.size());
    // Mostly near the innermost one.
    const std::uint32_t from = random_.Chance(70) && count > 5 ? count - 5 : 0;
    return from + random_.Below(count - from);
  }

  void Mutate() {
    switch (random_.Below(12)) {
      case 0:
        if (!random_.Chance(30)) break;
        Begin();
        for (std::uint32_t i = random_.Below(60); i > 0; --i) Call();
        break;
      case 1:
        break;
      case 2: {  // a word of some frame
        if (!random_.Chance(50)) break;
        const Frame& frame = frames_of_stack_[AnyFrame()];
        stack_[frame.rsp + random_.Below(10)] = AnyWord();
        break;
      }
      case 3: {  // where some frame was called from
        const Frame& frame = frames_of_stack_[AnyFrame()];
        stack_[frame.rsp - 1] ^= 1;
        break;
      }
      case 4:
        if (random_.Chance(10)) last_->Forget();
        break;
      case 5:
        if (!random_.Chance(2)) break;
        env_.rule_cache().Clear();
        last_->Forget();
        break;
      case 6:
        if (random_.Chance(20)) frames_of_stack_[AnyFrame()].rbp = AnyWord();
        break;
      default:  // some returns, some calls
        frames_of_stack_.resize(AnyFrame() + 1);
        for (std::uint32_t i = random_.Below(7); i > 0; --i) Call();
        break;
    }
  }

  Registers AnyStart() {
    const Frame& frame = frames_of_stack_[AnyFrame()];
    Registers start{frame.pc, At(frame.rsp), frame.rbp};
    if (random_.Chance(4)) start.rbp = AnyWord();
    if (random_.Chance(1)) start.rsp = AnyAddress();
    if (random_.Chance(1)) start.pc = AnyWord() & ~kExactPcBit;
    return start;
  }

  StackBounds AnyBounds() {
    switch (random_.Below(3)) {
      case 0:
        return {};
      case 1:
        return {At(kWords - 64 - random_.Below(2) * 9216 - random_.Below(200)),
                At(kWords)};
      default:
        return Known();
    }
  }

  Random random_{20240607};
  std::vector<Frame> frames_of_stack_;
};

TEST_F(RandomStacksTest, EveryWalkIsThePlainWalk) {
  constexpr std::uint32_t kRounds = 400000;
  constexpr std::uint32_t kDepths[] = {3, 9, 40, 512, 512, 512};
  frames_of_stack_.reserve(512);
  StackBounds bounds = Known();
  std::uint64_t taken = 0;
  std::uint64_t walked = 0;
  std::uint32_t joins = 0;
  std::uint32_t ends[4] = {};
  Begin();
  for (std::uint32_t round = 0; round < kRounds; ++round) {
    if (round % 1000 == 0) {
      bounds = AnyBounds();
      last_->Forget();
    }
    Mutate();
    const std::uint32_t now =
        Taken(AnyStart(), bounds, kDepths[random_.Below(6)]);
    ASSERT_TRUE(same_) << "round " << round;
    taken += now;
    walked += result_.depth;
    if (now != 0) ++joins;
    ++ends[static_cast<int>(result_.end)];
  }
  std::printf(
      "%u walks, %lu frames, %u joins that took %lu; complete %u, cut "
      "%u, without a rule %u, out of bounds %u\n",
      kRounds, walked, joins, taken, ends[0], ends[1], ends[2], ends[3]);
  EXPECT_GT(joins, kRounds / 4);
  for (const std::uint32_t count : ends) EXPECT_GT(count, 1000U);
}

}  // namespace
}  // namespace heapledger::preload::unwind
