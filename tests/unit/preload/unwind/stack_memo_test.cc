// SPDX-License-Identifier: Apache-2.0
// The memo over a stack that the test lays out right below a page that cannot
// be read.
#include "preload/unwind/stack_memo.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <memory>

#include "tests/support/no_alloc_guard.h"

namespace heapledger::preload::unwind {
namespace {

class StackMemoTest : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kWords = 128 * 512;
  static constexpr std::uint64_t kBytes = kWords * 8ULL;

  StackMemoTest() {
    pages_ =
        static_cast<char*>(mmap(nullptr, kBytes + 2 * kStackPageBytes,
                                PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    EXPECT_EQ(
        mprotect(pages_ + kStackPageBytes, kBytes, PROT_READ | PROT_WRITE), 0);
    memo_->SetBounds({At(0), At(kWords)});
  }
  ~StackMemoTest() override { munmap(pages_, kBytes + 2 * kStackPageBytes); }

  std::uint64_t At(std::uint32_t word) const {
    return reinterpret_cast<std::uint64_t>(pages_) + kStackPageBytes +
           word * 8ULL;
  }
  std::uint64_t& Word(std::uint32_t word) const {
    return reinterpret_cast<std::uint64_t*>(pages_ + kStackPageBytes)[word];
  }

  static std::uint64_t Pc(std::uint32_t frame, std::uint64_t which = 0) {
    return 0x400000 + frame * 0x1040ULL + which;
  }

  // A stack of `depth` frames of `step` words each, written to memory and to
  // stack_. Its innermost frame is at `rsp`; returns the registers there. The
  // outermost one returns to 0 unless it `is_end`.
  Registers Lay(std::uint32_t rsp, std::uint32_t depth, std::uint32_t step = 4,
                std::uint64_t which = 0, bool is_end = true) {
    LastStack& stack = *stack_;
    stack.top = depth + LastStack::kOutermost - 1;
    stack.first_word = is_end ? LastStack::kOutermost : 1;
    stack.reusable = 1;
    stack.on_own_stack = 1;
    for (std::uint32_t i = 0; i <= depth; ++i) {
      const std::uint32_t word = rsp + i * step;
      const std::uint64_t pc = i == depth ? 0 : Pc(i, which);
      stack.places[stack.top - i] = {At(word), pc};
      stack.facts[stack.top - i] = {};
      if (i > 0 && (i < depth || !is_end)) Word(word - 1) = pc;
    }
    return {Pc(0, which), At(rsp), 0};
  }

  void AddExtra(std::uint32_t word) {
    LastStack& stack = *stack_;
    FrameFacts& innermost = stack.facts[stack.top];
    stack.extras[innermost.links.extras++] = {At(word), Word(word)};
  }

  // Without allocation, as all that follow.
  std::uint32_t Find(const Registers& caller) {
    const testing::NoAllocGuard guard;
    return memo_->Find(caller);
  }
  std::uint32_t FindLast(const Registers& caller) const {
    const testing::NoAllocGuard guard;
    return memo_->FindLast(caller);
  }
  void Offer(const Registers& caller, std::uint32_t id, int times = 1) {
    const testing::NoAllocGuard guard;
    for (int i = 0; i < times; ++i) memo_->Offer(caller, *stack_, id);
  }
  // Offers until the hints and the place have settled, and demands a hit.
  void Keep(const Registers& caller, std::uint32_t id) {
    Offer(caller, id, 3);
    ASSERT_EQ(Find(caller), id);
    ASSERT_EQ(FindLast(caller), id);
  }

  char* pages_;
  std::unique_ptr<StackMemo> memo_{new StackMemo()};
  std::unique_ptr<LastStack> stack_{new LastStack()};
};

TEST_F(StackMemoTest, ZeroedMemoryKnowsNothing) {
  const std::unique_ptr<StackMemo> zeroed(new StackMemo());
  const Registers caller = Lay(1000, 5);
  EXPECT_EQ(zeroed->Find(caller), 0U);
  EXPECT_EQ(zeroed->FindLast(caller), 0U);
  zeroed->Offer(caller, *stack_, 7);
  zeroed->Offer(caller, *stack_, 7);
  EXPECT_EQ(zeroed->Find(caller), 0U);  // no stack is known yet
}

TEST_F(StackMemoTest, AStackIsKeptWhenItMissesTwiceInARow) {
  const Registers caller = Lay(1000, 5);
  EXPECT_EQ(Find(caller), 0U);
  Offer(caller, 7);
  EXPECT_EQ(Find(caller), 0U);
  Offer(caller, 7);
  EXPECT_EQ(Find(caller), 7U);
  EXPECT_EQ(FindLast(caller), 7U);
}

TEST_F(StackMemoTest, StacksThatTakeTurnsInAPlaceAreNotKept) {
  const Registers caller = Lay(1000, 5);
  for (std::uint32_t id = 1; id < 20; ++id) {
    Offer(caller, id);
    EXPECT_EQ(Find(caller), 0U);
  }
  Offer(caller, 19);
  EXPECT_EQ(Find(caller), 19U);
  // A kept one stays while others come by once.
  Offer(caller, 20);
  Offer(caller, 21);
  EXPECT_EQ(Find(caller), 19U);
  Offer(caller, 21);
  EXPECT_EQ(Find(caller), 21U);
}

TEST_F(StackMemoTest, AStackHasAnIdForEachTag) {
  const Registers caller = Lay(1000, 5);
  Keep(caller, 7);
  memo_->SwitchTo(3);
  EXPECT_EQ(FindLast(caller), 0U);
  EXPECT_EQ(Find(caller), 0U);
  Keep(caller, 8);
  memo_->SwitchTo(0);
  EXPECT_EQ(FindLast(caller), 0U);
  EXPECT_EQ(Find(caller), 7U);
  EXPECT_EQ(FindLast(caller), 7U);
  memo_->SwitchTo(3);
  EXPECT_EQ(Find(caller), 8U);
  memo_->SwitchTo(3);
  EXPECT_EQ(FindLast(caller), 8U);
}

TEST_F(StackMemoTest, FindLastFindsWhatThisCallHadLast) {
  const Registers caller = Lay(1000, 5);
  Keep(caller, 7);
  Word(1003) = Pc(1, 1);  // another caller behind it, and back
  EXPECT_EQ(FindLast(caller), 0U);
  (void)Lay(1000, 5);
  EXPECT_EQ(FindLast(caller), 7U);
}

TEST_F(StackMemoTest, CallersBehindAWrapperHavePlacesOfTheirOwn) {
  Registers callers[6];
  for (std::uint32_t i = 0; i < 6; ++i) {
    callers[i] = Lay(1000, 6);
    // The second or third frame tells them apart.
    const std::uint32_t frame = 1 + i % 2;
    Word(1000 + frame * 4 - 1) = Pc(20 + i);
    stack_->places[stack_->top - frame].pc = Pc(20 + i);
    Keep(callers[i], 100 + i);
  }
  std::uint32_t found = 0;
  for (std::uint32_t i = 0; i < 6; ++i) {
    (void)Lay(1000, 6);
    Word(1000 + (1 + i % 2) * 4 - 1) = Pc(20 + i);
    const std::uint32_t id = Find(callers[i]);
    EXPECT_TRUE(id == 100 + i || id == 0) << id;
    if (id != 0) ++found;
  }
  EXPECT_GE(found, 4U);  // some may have met in a place
}

TEST_F(StackMemoTest, AChangeOfAnyWordIsAMiss) {
  for (const bool is_end : {true, false}) {
    for (std::uint32_t depth = 4; depth <= 20; ++depth) {
      memo_->Forget();
      const Registers caller = Lay(1000, depth, 4, 0, is_end);
      Keep(caller, 9);
      const std::uint32_t words = is_end ? depth - 1 : depth;
      for (std::uint32_t i = 1; i <= words; ++i) {
        std::uint64_t& word = Word(1000 + i * 4 - 1);
        for (const std::uint64_t flipped : {1ULL, 1ULL << 47, 1ULL << 63}) {
          word ^= flipped;
          EXPECT_EQ(Find(caller), 0U);
          EXPECT_EQ(FindLast(caller), 0U);
          word ^= flipped;
        }
      }
      EXPECT_EQ(Find(caller), 9U);
      // The word above the outermost frame is nobody's.
      Word(1000 + words * 4 + 3) ^= 1;
      EXPECT_EQ(Find(caller), 9U);
    }
  }
}

TEST_F(StackMemoTest, OtherRegistersAreOtherStacks) {
  const Registers caller = Lay(1000, 5);
  Keep(caller, 7);
  EXPECT_EQ(Find({caller.pc + 1, caller.rsp, 0}), 0U);
  EXPECT_EQ(Find({caller.pc, caller.rsp + 8, 0}), 0U);
  EXPECT_EQ(Find({caller.pc, caller.rsp - 8, 0}), 0U);
  EXPECT_EQ(FindLast({caller.pc + 1, caller.rsp, 0}), 0U);
  EXPECT_EQ(FindLast({caller.pc, caller.rsp + 16, 0}), 0U);
}

TEST_F(StackMemoTest, RbpCountsOnlyWhereTheStackNeedsIt) {
  Registers caller = Lay(1000, 5);
  caller.rbp = 0x1234;
  Keep(caller, 7);
  EXPECT_EQ(Find({caller.pc, caller.rsp, 0x999}), 7U);
  stack_->facts[stack_->top].links.needs_rbp = 1;
  Offer(caller, 8, 2);
  EXPECT_EQ(Find(caller), 8U);
  EXPECT_EQ(FindLast(caller), 8U);
  EXPECT_EQ(Find({caller.pc, caller.rsp, 0x999}), 0U);
  EXPECT_EQ(FindLast({caller.pc, caller.rsp, 0x999}), 0U);
}

TEST_F(StackMemoTest, ExtraWordsCount) {
  Registers caller = Lay(1000, 4);
  for (const std::uint32_t word : {1001U, 1013U, 1040U, 5000U}) AddExtra(word);
  Keep(caller, 7);
  for (const std::uint32_t word : {1001U, 1013U, 1040U, 5000U}) {
    Word(word) ^= 8;
    EXPECT_EQ(Find(caller), 0U);
    EXPECT_EQ(FindLast(caller), 0U);
    Word(word) ^= 8;
  }
  EXPECT_EQ(Find(caller), 7U);
}

TEST_F(StackMemoTest, AStackThatCannotBeReusedIsNotKept) {
  const Registers caller = Lay(1000, 5);
  stack_->reusable = 0;
  Offer(caller, 7, 5);
  EXPECT_EQ(Find(caller), 0U);
}

TEST_F(StackMemoTest, AsManyWordsAsThereIsRoomFor) {
  constexpr std::uint32_t kDeepest = StackMemo::kMaxWords + 1;
  const Registers caller = Lay(1000, kDeepest);
  Keep(caller, 7);
  Word(1000 + 4 * StackMemo::kMaxWords - 1) ^= 1;
  EXPECT_EQ(Find(caller), 0U);
  // One more, be it a frame, the end or an extra word.
  memo_->Forget();
  (void)Lay(1000, kDeepest + 1);
  Offer(caller, 8, 5);
  EXPECT_EQ(Find(caller), 0U);
  (void)Lay(1000, kDeepest, 4, 0, false);
  Offer(caller, 8, 5);
  EXPECT_EQ(Find(caller), 0U);
  (void)Lay(1000, kDeepest);
  AddExtra(1001);
  Offer(caller, 8, 5);
  EXPECT_EQ(Find(caller), 0U);
}

TEST_F(StackMemoTest, WordsTooFarAwayAreNotKept) {
  const Registers caller = Lay(0, 4);
  AddExtra(kWords - 1);
  Keep(caller, 7);
  // A wider stack than one entry can span.
  std::unique_ptr<LastStack> wide(new LastStack(*stack_));
  wide->extras[0].address = caller.rsp + (0xffffULL + 1) * 8;
  for (int i = 0; i < 4; ++i) memo_->Offer(caller, *wide, 8);
  EXPECT_NE(Find(caller), 8U);
  // An address below rsp has no offset either.
  wide->extras[0].address = caller.rsp - 8;
  for (int i = 0; i < 4; ++i) memo_->Offer(caller, *wide, 8);
  EXPECT_NE(Find(caller), 8U);
}

TEST_F(StackMemoTest, ShortStacksAreKeptToo) {
  for (const std::uint32_t depth : {2U, 3U, 4U}) {
    memo_->Forget();
    Keep(Lay(1000, depth), depth);
  }
}

// --- Hints.

TEST_F(StackMemoTest, AWrongHintCostsAMiss) {
  // The same two innermost frames, with frames of other sizes behind them.
  const auto clear = [this] {
    for (std::uint32_t i = 1000; i < 4000; ++i) Word(i) = 0;
  };
  for (std::uint32_t step = 2; step <= 400; step = step * 3 / 2 + 1) {
    clear();
    const Registers caller = Lay(1000, 5, step);
    EXPECT_EQ(Find(caller), 0U);
    Keep(caller, step);
  }
  // Its place is not where the hints lead now.
  clear();
  const Registers caller = Lay(1000, 5, 2);
  const std::uint32_t id = Find(caller);
  EXPECT_TRUE(id == 0 || id == 2) << id;
}

TEST_F(StackMemoTest, AHintNeverLeadsOutOfTheStack) {
  // Learned low down, used right below the top: 2 KiB for each of them.
  for (const std::uint32_t step : {2U, 100U, 254U, 255U, 256U, 1000U}) {
    const Registers learned = Lay(1000, 5, step);
    Offer(learned, 7, 3);
    for (std::uint32_t below = 1; below < 2000; ++below) {
      EXPECT_EQ(Find({learned.pc, At(kWords - below), 0}), 0U);
    }
  }
}

TEST_F(StackMemoTest, AStackMayEndAtTheVeryTop) {
  // 1 + 4 steps of 4 words, and the end's return address is the last word.
  const Registers caller = Lay(kWords - 20, 5, 4, 0, false);
  Keep(caller, 7);
  Word(kWords - 1) = 1;
  EXPECT_EQ(Find(caller), 0U);
}

// --- Bounds.

TEST_F(StackMemoTest, OnlyTheOwnStackIsLookedFor) {
  const Registers caller = Lay(1000, 5);
  memo_->SetBounds({At(0), At(1000)});
  Offer(caller, 7, 5);
  EXPECT_EQ(Find(caller), 0U);
  EXPECT_EQ(FindLast(caller), 0U);
  // Neither is memory outside of it read, nor of one that is not known.
  const std::uint64_t outside[] = {At(kWords), At(kWords) + 8, At(0) - 8, 0,
                                   ~7ULL};
  for (const std::uint64_t rsp : outside) {
    EXPECT_EQ(Find({Pc(0), rsp, 0}), 0U);
    EXPECT_EQ(FindLast({Pc(0), rsp, 0}), 0U);
  }
  memo_->SetBounds({});
  for (const std::uint64_t rsp : outside) {
    EXPECT_EQ(Find({Pc(0), rsp, 0}), 0U);
    EXPECT_EQ(FindLast({Pc(0), rsp, 0}), 0U);
  }
  memo_->SetBounds({~0ULL, 0});
  EXPECT_EQ(Find({Pc(0), 0, 0}), 0U);
  EXPECT_EQ(Find({Pc(0), ~0ULL, 0}), 0U);
}

TEST_F(StackMemoTest, OtherBoundsForget) {
  const Registers caller = Lay(1000, 5);
  Keep(caller, 7);
  memo_->SetBounds({At(0), At(kWords)});
  EXPECT_EQ(Find(caller), 0U);
  EXPECT_EQ(FindLast(caller), 0U);
  Keep(caller, 8);
}

TEST_F(StackMemoTest, WhatIsForgottenIsNotFound) {
  for (std::uint32_t i = 0; i < 300; ++i) {
    Offer(Lay(1000 + i * 2, 5, 4, i), i + 1, 3);
  }
  memo_->Forget();
  for (std::uint32_t i = 0; i < 300; ++i) {
    const Registers caller = Lay(1000 + i * 2, 5, 4, i);
    EXPECT_EQ(Find(caller), 0U);
    EXPECT_EQ(FindLast(caller), 0U);
  }
}

TEST_F(StackMemoTest, ManyStacksNeverGetEachOthersIds) {
  // What is found is right; most of what is repeated is found.
  std::uint64_t state = 1;
  std::uint32_t hits = 0;
  constexpr std::uint32_t kRounds = 200000;
  for (std::uint32_t round = 0; round < kRounds; ++round) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    const auto seed = static_cast<std::uint32_t>(state >> 40) % 2048;
    // Skewed: few stacks are frequent.
    const std::uint32_t kind = seed % (1 + seed % 97);
    const std::uint32_t depth = 3 + kind % 40;
    const Registers caller =
        Lay(4000 + kind % 3 * 2, depth, 2 + kind % 5, kind / 3, kind % 2 != 0);
    const std::uint32_t last = FindLast(caller);
    ASSERT_TRUE(last == 0 || last == kind + 1) << round;
    const std::uint32_t found = Find(caller);
    ASSERT_TRUE(found == 0 || found == kind + 1) << round;
    if (found == 0) {
      Offer(caller, kind + 1);
    } else {
      ++hits;
    }
  }
  EXPECT_GT(hits, kRounds / 8);
}

}  // namespace
}  // namespace heapledger::preload::unwind
