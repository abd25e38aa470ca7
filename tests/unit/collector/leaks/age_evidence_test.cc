// SPDX-License-Identifier: Apache-2.0
#include "collector/leaks/age_evidence.h"

#include <gtest/gtest.h>

namespace heapledger::collector {
namespace {

constexpr std::uint64_t kBegin = 1'048'576 * kSecondNs;

// 200 seconds in which blocks of 10 bytes are allocated and freed at these
// rates, after `before` of them.
FloorHistory Lived(std::uint64_t before, std::uint64_t allocated_per_second,
                   std::uint64_t freed_per_second) {
  FloorHistory history;
  for (std::uint64_t t = 0; t <= 200; ++t) {
    HeapCounters counters;
    counters.allocated_objects = before + t * allocated_per_second;
    counters.freed_objects = t * freed_per_second;
    counters.allocated_bytes = 10 * counters.allocated_objects;
    counters.freed_bytes = 10 * counters.freed_objects;
    history.Add(kBegin + t * kSecondNs, counters);
  }
  return history;
}

TEST(AgeEvidenceTest, IsExactWhereNothingWasFreed) {
  const auto age = AgeOf(Lived(0, 5, 0), 0);
  ASSERT_TRUE(age);
  // 25 buckets of 8 s; the ends of the first and the last lie 192 s apart.
  EXPECT_EQ(age->window_ns, 192 * kSecondNs);
  EXPECT_EQ(age->allocated_objects, 960U);
  EXPECT_EQ(age->freed_objects, 0U);
  EXPECT_EQ(age->kept_objects, 960U);
  EXPECT_EQ(age->older_than_ns, 96 * kSecondNs);
  EXPECT_EQ(age->older_objects, 995U - 480);
  EXPECT_EQ(age->older_bytes, 10 * (995U - 480));
}

TEST(AgeEvidenceTest, BoundsWhatStayedWhereSomeWereFreed) {
  const auto age = AgeOf(Lived(3000, 20, 1), 0);
  ASSERT_TRUE(age);
  EXPECT_EQ(age->kept_objects, age->allocated_objects - age->freed_objects);
  EXPECT_EQ(age->freed_objects, 192U);
}

TEST(AgeEvidenceTest, IsSilentWhereItKnowsNothing) {
  EXPECT_FALSE(AgeOf(Lived(1000, 100, 99), 0)) << "blocks come and go";
  EXPECT_FALSE(AgeOf(Lived(1000, 0, 0), 0)) << "nothing is allocated";
  EXPECT_FALSE(AgeOf(FloorHistory(), 0)) << "nothing was seen";
}

}  // namespace
}  // namespace heapledger::collector
