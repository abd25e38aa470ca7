// SPDX-License-Identifier: Apache-2.0
#include "collector/leaks/callsite_watch.h"

#include <gtest/gtest.h>

#include <cmath>

namespace heapledger::collector {
namespace {

constexpr std::uint64_t kBegin = 1'048'576 * kSecondNs;

class Watched {
 public:
  // Seconds [from, to) of live(t) bytes.
  template <typename Live>
  void Run(int from, int to, Live&& live) {
    for (int t = from; t < to; ++t) {
      HeapCounters counters;
      counters.allocated_bytes = static_cast<std::uint64_t>(live(t));
      counters.allocated_objects = counters.allocated_bytes / 16;
      watch.Add(kBegin + static_cast<std::uint64_t>(t) * kSecondNs, counters);
    }
  }

  CallsiteWatch watch{FloorHistory::kBaseWidthNs, {}};
};

TEST(CallsiteWatchTest, NamesALeakWithinFourMinutesAndHoldsToIt) {
  Watched watched;
  const auto leak = [](int t) { return 100 * t; };
  watched.Run(0, 190, leak);
  EXPECT_EQ(watched.watch.growth(), nullptr);
  EXPECT_EQ(watched.watch.widest().shape, GrowthShape::kTooEarly);
  watched.Run(190, 240, leak);
  ASSERT_NE(watched.watch.growth(), nullptr);
  for (int t = 240; t < 4000; ++t) {
    watched.Run(t, t + 1, leak);
    ASSERT_NE(watched.watch.growth(), nullptr) << t;
  }
  EXPECT_GE(watched.watch.growth()->window_ns, 3000 * kSecondNs);
}

TEST(CallsiteWatchTest, TakesTheWordBackAsTheMemoryComesBack) {
  Watched watched;
  watched.Run(0, 400, [](int t) { return 100 * t; });
  ASSERT_NE(watched.watch.growth(), nullptr);
  watched.Run(400, 401, [](int) { return 0; });
  EXPECT_EQ(watched.watch.growth(), nullptr);
}

TEST(CallsiteWatchTest, TakesTheWordBackOnceALeakHasStopped) {
  Watched watched;
  watched.Run(0, 400, [](int t) { return 100 * t; });
  ASSERT_NE(watched.watch.growth(), nullptr);
  watched.Run(400, 700, [](int) { return 40'000; });
  EXPECT_EQ(watched.watch.growth(), nullptr);
}

TEST(CallsiteWatchTest, TakesTheTailOfAWarmUpForWhatItIs) {
  // Seen through minutes, the tail of a logarithm is a straight line.
  Watched watched;
  int named = 0;
  for (int t = 0; t < 7200; ++t) {
    watched.Run(t, t + 1, [](int s) { return 1e6 * std::log(s + 30); });
    named += watched.watch.growth() != nullptr;
  }
  EXPECT_EQ(named, 0);
}

TEST(CallsiteWatchTest, NamesALeakThatBeginsAfterHoursOfQuiet) {
  Watched watched;
  watched.Run(0, 20'000, [](int) { return 1'000'000; });
  int at = 20'000;
  for (; at < 21'000 && watched.watch.growth() == nullptr; ++at) {
    watched.Run(at, at + 1,
                [](int t) { return 1'000'000 + 64 * (t - 20'000); });
  }
  EXPECT_LT(at - 20'000, 600);
}

}  // namespace
}  // namespace heapledger::collector
