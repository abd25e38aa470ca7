// SPDX-License-Identifier: Apache-2.0
// Simulated programs: blocks of keys that live for so many allocations, under
// the counters of the cut callsites that the real books would keep.
#include "preload/core/governor.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>
#include <tuple>
#include <vector>

#include "tests/support/no_alloc_guard.h"

namespace heapledger::preload {
namespace {

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  std::uint32_t Below(std::uint32_t end) {
    return static_cast<std::uint32_t>(engine_() % end);
  }

 private:
  std::mt19937 engine_;
};

constexpr std::uint64_t kForEver = ~std::uint64_t{0};

struct Block {
  std::uint32_t callsite;  // 0: booked under its full stack
  std::uint32_t bytes;
};

class Program {
 public:
  explicit Program(std::uint32_t threads = 1)
      : governors_(threads), callsites_(1 << 14), dying_(kMaxLife) {
    for (auto& governor : governors_) {
      governor = std::make_unique<Governor>();
      std::memset(static_cast<void*>(governor.get()), 0, sizeof(Governor));
    }
  }

  // GovernedBooks
  LiveCount LiveOf(std::uint32_t callsite) {
    ++looks;
    return callsites_[callsite];
  }
  std::int64_t LiveBytes() const { return live_bytes; }
  std::uint32_t Seconds() const {
    return 1000 + static_cast<std::uint32_t>(now);
  }
  std::uint32_t FullUntil() const { return full_until; }

  // Allocates a block that is freed when `life` more were allocated.
  Block Allocate(std::uint32_t key, std::uint32_t bytes, std::uint64_t life) {
    now += 1 / rate;
    const Block block{Decide(key, bytes), bytes};
    Count(block, 1);
    ++allocations;
    ++step_;
    if (block.callsite != 0) ++cut;
    if (life < kMaxLife) {
      dying_[(step_ + life) % kMaxLife].push_back(block);
    }
    auto& dying = dying_[step_ % kMaxLife];
    for (const Block& dead : dying) Count(dead, -1);
    dying.clear();
    return block;
  }

  void Free(const Block& block) { Count(block, -1); }

  Governor& governor() { return *governors_[0]; }
  static std::uint64_t KeyOf(std::uint32_t key) {
    return Governor::KeyOf(0x400000 + key * 16, 0x500000 + key % 7, 1, 0);
  }

  double unnamed_share() const {
    return static_cast<double>(unnamed_bytes) /
           static_cast<double>(live_bytes > 0 ? live_bytes : 1);
  }
  double cut_share() const {
    return static_cast<double>(cut) / static_cast<double>(allocations);
  }
  void ForgetCounts() { cut = allocations = looks = 0; }

  static constexpr std::uint64_t kMaxLife = 1 << 13;

  double rate = 1e6;  // allocations per second
  double now = 0;
  bool over_budget = true;
  bool names_cuts = true;
  std::uint32_t thread = 0;  // that allocates
  std::uint32_t full_until = 0;

  std::int64_t live_bytes = 0;
  std::int64_t unnamed_bytes = 0;
  std::int64_t unnamed_objects = 0;
  std::uint64_t allocations = 0;
  std::uint64_t cut = 0;
  std::uint64_t looks = 0;

 private:
  // Returns the cut callsite, or 0 for a full stack.
  std::uint32_t Decide(std::uint32_t key, std::uint32_t bytes) {
    const testing::NoAllocGuard guard;
    Governor& decider = *governors_[thread];
    const std::uint64_t id = KeyOf(key);
    const Decision decision = decider.Decide(id, bytes, over_budget, *this);
    if (decision.depth == Depth::kFull) return 0;
    const std::uint32_t callsite = key + 2;
    if (decision.callsite == 0) {
      if (names_cuts) decider.NameCut(id, callsite);
    } else {
      EXPECT_EQ(decision.callsite, callsite);
    }
    return callsite;
  }

  void Count(const Block& block, int sign) {
    const std::int64_t bytes = sign * std::int64_t{block.bytes};
    live_bytes += bytes;
    if (block.callsite == 0) return;
    callsites_[block.callsite].objects += sign;
    callsites_[block.callsite].bytes += bytes;
    unnamed_bytes += bytes;
    unnamed_objects += sign;
  }

  std::vector<std::unique_ptr<Governor>> governors_;
  std::vector<LiveCount> callsites_;
  std::vector<std::vector<Block>> dying_;
  std::uint64_t step_ = 0;
};

TEST(GovernorTest, CutsNothingWithinTheBudget) {
  Program program;
  program.over_budget = false;
  for (int i = 0; i < 1000000; ++i) program.Allocate(1, 64, 1);
  EXPECT_EQ(program.cut, 0U);
  EXPECT_EQ(program.looks, 0U);
}

TEST(GovernorTest, WalksTheFirstBlocksOfAKeyInFull) {
  Program program;
  for (int i = 0; i < 800; ++i) program.Allocate(1, 64, 1);
  EXPECT_EQ(program.cut, 0U);
}

TEST(GovernorTest, CutsAHotKeyWhoseBlocksDieSoon) {
  for (const std::uint32_t life : {1, 2, 10, 50, 200, 500}) {
    Program program;
    Random random(1);
    // Else the blocks in use are what holds the memory.
    if (life > 10) program.live_bytes = 64 << 20;
    for (int i = 0; i < 1000000; ++i) {
      program.Allocate(1, 16 + random.Below(200), random.Below(life));
    }
    EXPECT_GT(program.cut_share(), 0.75) << life;
  }
}

TEST(GovernorTest, NeverCutsLargeBlocks) {
  Program program;
  for (int i = 0; i < 100000; ++i) {
    const Block block = program.Allocate(1, i % 2 == 0 ? 64 : 4097, 1);
    ASSERT_TRUE(i % 2 == 0 || block.callsite == 0);
  }
  EXPECT_GT(program.cut, 0U);
}

TEST(GovernorTest, WalksAKeyInFullThatIsNotHot) {
  Program program;
  program.rate = 100;
  for (int i = 0; i < 100000; ++i) program.Allocate(1, 64, 1);
  EXPECT_EQ(program.cut, 0U);
}

TEST(GovernorTest, GivesUpTheCutOfAKeyThatGetsNoCallsite) {
  Program program;
  program.names_cuts = false;
  for (int i = 0; i < 1000000; ++i) program.Allocate(1, 64, 1);
  EXPECT_LT(program.cut, 2000U);
}

// By how many of its blocks in a thousand a key retains.
class RetainingKeyTest : public ::testing::TestWithParam<int> {};

TEST_P(RetainingKeyTest, KeepsItsStacks) {
  Program program;
  Random random(2);
  std::int64_t retained = 0;
  for (int i = 0; i < 2000000; ++i) {
    const bool retains = static_cast<int>(random.Below(1000)) < GetParam();
    program.Allocate(1, 64, retains ? kForEver : 5);
    retained += retains ? 1 : 0;
  }
  EXPECT_LT(static_cast<double>(program.unnamed_objects),
            100 + 0.02 * static_cast<double>(retained));
}

INSTANTIATE_TEST_SUITE_P(PerThousand, RetainingKeyTest,
                         ::testing::Values(1000, 500, 100, 30, 10, 3, 1));

// Allocations and leaked blocks, both per second.
class SlowLeakTest
    : public ::testing::TestWithParam<std::tuple<double, double>> {};

TEST_P(SlowLeakTest, IsNamedWithinAMinute) {
  const auto [rate, leaks] = GetParam();
  Program program;
  program.rate = rate;
  // A time without a leak first, so that the key is trusted.
  while (program.now < (rate < 1e4 ? 10 : 3)) program.Allocate(1, 64, 2);
  ASSERT_GT(program.cut_share(), 0.5);
  double next_leak = program.now + 1 / leaks;
  const double begin = program.now;
  int named = 0;
  while (named < 3 && program.now < begin + 100) {
    const bool leaks_now = program.now >= next_leak;
    const Block block = program.Allocate(1, 64, leaks_now ? kForEver : 2);
    if (!leaks_now) continue;
    next_leak += 1 / leaks;
    // One may meet a probe by chance; three are the sign of a hold.
    named = block.callsite == 0 ? named + 1 : 0;
  }
  EXPECT_LT(program.now - begin, 60);
  EXPECT_LE(program.unnamed_objects, 40);
}

INSTANTIATE_TEST_SUITE_P(RatesAndLeaks, SlowLeakTest,
                         ::testing::Combine(::testing::Values(300.0, 1e3, 1e4,
                                                              1e5, 1e6),
                                            ::testing::Values(0.5, 1.0, 5.0)));

TEST(GovernorTest, MostOfASlowLeakIsNamedInTheLongRun) {
  Program program;
  program.rate = 5000;
  std::int64_t leaked = 0;
  for (std::uint64_t i = 0; i < 5000 * 1200; ++i) {
    const bool leaks = i % 5000 == 0;
    program.Allocate(1, 64, leaks ? kForEver : 2);
    leaked += leaks ? 1 : 0;
  }
  EXPECT_LT(static_cast<double>(program.unnamed_objects),
            0.15 * static_cast<double>(leaked));
}

TEST(GovernorTest, SeesALeakWhoseBlocksDrownInThoseInUse) {
  Program program;
  program.rate = 100000;
  Random random(3);
  std::int64_t leaked = 0;
  std::int64_t unnamed = 0;
  while (program.now < 60) {
    const bool leaks = random.Below(100000) == 0;
    const Block block =
        program.Allocate(1, 64, leaks ? kForEver : random.Below(100));
    leaked += leaks ? 1 : 0;
    unnamed += leaks && block.callsite != 0 ? 1 : 0;
  }
  EXPECT_LT(unnamed, 30);
  EXPECT_GT(leaked, 40);
}

TEST(GovernorTest, KeepsTheStacksOfACacheThatFillsAndEmpties) {
  for (const std::size_t fill : {2000, 5000, 50000}) {
    Program program;
    std::vector<Block> cache;
    std::int64_t worst_bytes = 0;
    for (int i = 0; i < 2000000; ++i) {
      cache.push_back(program.Allocate(1, 100, kForEver));
      if (cache.size() == fill) {
        worst_bytes = std::max(worst_bytes, program.unnamed_bytes);
        for (const Block& block : cache) program.Free(block);
        cache.clear();
      }
    }
    EXPECT_LT(program.cut_share(), 0.05) << fill;
    // At worst one full cut step of one cache that is full.
    EXPECT_LT(worst_bytes, 128 << 10) << fill;
  }
}

// Keys of all habits, phases in which temporary ones retain: how many keys,
// their largest blocks, allocations of a phase.
class PeakTest : public ::testing::TestWithParam<
                     std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>> {
};

TEST_P(PeakTest, HasItsStacks) {
  const auto [keys, largest, allocations] = GetParam();
  Program program;
  Random random(4);
  std::int64_t peak = 0;
  double unnamed_at_peak = 0;
  for (std::uint32_t phase = 0; phase < 12; ++phase) {
    std::vector<Block> of_phase;
    for (std::uint32_t i = 0; i < allocations; ++i) {
      const std::uint32_t key = random.Below(keys);
      const std::uint32_t bytes =
          16 + random.Below(key % 5 == 0 ? largest : 120);
      if (key % 12 == phase || key >= keys - keys / 10) {
        of_phase.push_back(program.Allocate(key, bytes, kForEver));
      } else {
        program.Allocate(key, bytes, random.Below(30));
      }
      if (program.live_bytes > peak) {
        peak = program.live_bytes;
        unnamed_at_peak = program.unnamed_share();
      }
    }
    if (phase % 3 == 2) continue;  // what these hold stays
    for (const Block& block : of_phase) program.Free(block);
  }
  EXPECT_GT(program.cut_share(), 0.35);
  EXPECT_LT(unnamed_at_peak, 0.03);
}

INSTANTIATE_TEST_SUITE_P(Mixes, PeakTest,
                         ::testing::Values(std::tuple(60, 2000, 200000),
                                           std::tuple(60, 4080, 30000),
                                           std::tuple(600, 4080, 300000),
                                           std::tuple(24, 2000, 200000)));

// A key that was trusted for long and turns from one block to the next.
TEST(GovernorTest, LosesLittleOfWhatAKeyHoldsThatChangesItsHabit) {
  for (const std::uint32_t bytes : {32, 200, 4096}) {
    Program program;
    program.live_bytes = 16 << 20;
    for (int i = 0; i < 300000; ++i) program.Allocate(1, bytes, 2);
    for (int i = 0; i < 50000; ++i) program.Allocate(1, bytes, kForEver);
    EXPECT_LT(program.unnamed_bytes, (16 << 20) / 32) << bytes;
  }
}

TEST(GovernorTest, FindsHotKeysAmongFiveThousandColdOnes) {
  Program program;
  Random random(5);
  for (int i = 0; i < 3000000; ++i) {
    const bool hot = random.Below(2) == 0;
    const std::uint32_t key =
        hot ? 10000 + random.Below(8) : random.Below(5000);
    program.Allocate(key, 64, 3);
  }
  EXPECT_GT(program.cut_share(), 0.4);
}

TEST(GovernorTest, GivesThePlacesOfKeysThatEndedToNewOnes) {
  Program program;
  program.live_bytes = 64 << 20;
  for (std::uint32_t generation = 0; generation < 10; ++generation) {
    program.ForgetCounts();
    for (std::uint32_t i = 0; i < 3000000; ++i) {
      program.Allocate(generation * 1000 + i % 300, 64, 3);
    }
    EXPECT_GT(program.cut_share(), 0.6) << generation;
  }
}

TEST(GovernorTest, CutsAKeyThatManyThreadsShare) {
  Program program(64);
  program.live_bytes = 64 << 20;
  Random random(6);
  for (int i = 0; i < 4000000; ++i) {
    program.thread = random.Below(64);
    program.Allocate(1, 64, random.Below(200));
  }
  EXPECT_GT(program.cut_share(), 0.7);
}

TEST(GovernorTest, WalksInFullForAsLongAsSomebodyWantsIt) {
  Program program;
  while (program.now < 1) program.Allocate(1, 64, 1);
  program.full_until = program.Seconds() + 10;
  while (program.now < 1.1) program.Allocate(1, 64, 1);
  program.ForgetCounts();
  while (program.now < 9) program.Allocate(1, 64, 1);
  EXPECT_EQ(program.cut, 0U);
  while (program.now < 14) program.Allocate(1, 64, 1);
  EXPECT_GT(program.cut_share(), 0.1);
}

TEST(GovernorTest, LooksAtTheCountersRarely) {
  Program program;
  for (int i = 0; i < 1000000; ++i) program.Allocate(1, 64, 1);
  EXPECT_LT(program.looks, 1000000U / 20);  // of a program that holds nothing
  program.ForgetCounts();
  program.live_bytes = 1LL << 30;
  for (int i = 0; i < 1000000; ++i) program.Allocate(1, 64, 1);
  EXPECT_LT(program.looks, 1000000U / 700);
}

TEST(GovernorTest, TakesACallsiteForAKnownKeyOnly) {
  Program program;
  Governor& governor = program.governor();
  governor.NameCut(Program::KeyOf(1), 7);
  for (int i = 0; i < 2000; ++i) program.Allocate(1, 64, 1);
  EXPECT_GT(program.cut, 0U);  // and Decide() checks which callsite it gives
  governor.Clear();
  program.ForgetCounts();
  for (int i = 0; i < 800; ++i) program.Allocate(1, 64, 1);
  EXPECT_EQ(program.cut, 0U);
}

// Books in which a signal handler strikes while they are read: it allocates
// too, and may jump out.
struct StruckBooks {
  struct JumpedOut {};

  LiveCount LiveOf(std::uint32_t) {
    Strike();
    return {static_cast<std::int64_t>(random.Below(40)), random.Below(20000)};
  }
  std::int64_t LiveBytes() const { return 1 << 24; }
  std::uint32_t Seconds() {
    Strike();
    return seconds++ / 100;
  }
  std::uint32_t FullUntil() const { return 0; }

  void Strike() {
    if (depth == 2 || random.Below(4) != 0) return;
    ++depth;
    for (int i = 0; i < 50; ++i) {
      const std::uint64_t key = Program::KeyOf(random.Below(2000));
      (void)governor->Decide(key, 4000, true, *this);
    }
    --depth;
    if (random.Below(2) == 0) throw JumpedOut();
  }

  Governor* governor;
  Random random{7};
  std::uint32_t seconds = 0;
  int depth = 0;
};

TEST(GovernorTest, SurvivesHandlersThatInterruptItOrJumpOut) {
  Program program;
  StruckBooks struck{&program.governor()};
  for (int i = 0; i < 2000000; ++i) {
    const std::uint32_t key = struck.random.Below(i % 16 == 0 ? 2000 : 8);
    try {
      const std::uint64_t id = Program::KeyOf(key);
      if (program.governor().Decide(id, 4000, true, struck).depth ==
          Depth::kCut) {
        program.governor().NameCut(id, key + 2);
      }
    } catch (const StruckBooks::JumpedOut&) {
      struck.depth = 0;
    }
  }
  // It still does its work.
  program.governor().Clear();
  for (int i = 0; i < 300000; ++i) program.Allocate(1, 64, 2);
  EXPECT_GT(program.cut_share(), 0.75);
}

TEST(GovernorTest, TakesOtherModulesAtTheSameAddressesForOtherKeys) {
  EXPECT_NE(Governor::KeyOf(1, 2, 1, 0), Governor::KeyOf(1, 2, 2, 0));
  EXPECT_NE(Governor::KeyOf(1, 2, 1, 0), Governor::KeyOf(2, 1, 1, 0));
  EXPECT_NE(Governor::KeyOf(1, 2, 1, 0), Governor::KeyOf(1, 2, 1, 3));
  EXPECT_NE(Governor::KeyOf(1, 2, 1, 4), Governor::KeyOf(1, 2, 1, 3));
  EXPECT_NE(Governor::KeyOf(0, 0, 0, 0), 0U);
}

}  // namespace
}  // namespace heapledger::preload
