// SPDX-License-Identifier: Apache-2.0
#include "collector/obituary/life.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "collector/obituary/verdict.h"

namespace heapledger::collector::obituary {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
// Nobody's: its cgroup cannot be read.
constexpr std::uint32_t kPid = 0x7ffffffe;

class NoNames final : public FrameNames {
 public:
  const ResolvedPc& Resolve(const LedgerSnapshot&, std::uint32_t) override {
    static const ResolvedPc nothing(1);
    return nothing;
  }
};

// A process whose callsite i has live[i] bytes.
std::shared_ptr<const ProcessView> ViewOf(
    const std::vector<std::uint64_t>& live) {
  auto snapshot = std::make_shared<LedgerSnapshot>();
  snapshot->identity.pid = kPid;
  auto view = std::make_shared<ProcessView>();
  for (std::size_t i = 0; i < live.size(); ++i) {
    CallsiteView& callsite = view->top.emplace_back();
    callsite.fingerprint = Fingerprint(i + 1);
    callsite.name.function = "F" + std::to_string(i);
    callsite.counters.allocated_bytes = live[i];
    snapshot->totals += callsite.counters;
  }
  std::ranges::stable_sort(view->top, std::greater(),
                           [](const CallsiteView& callsite) {
                             return callsite.counters.live_bytes();
                           });
  view->snapshot = std::move(snapshot);
  return view;
}

class LifeTest : public ::testing::Test {
 protected:
  // One look a second; `used` of a limit of 1000.
  bool Look(const std::vector<std::uint64_t>& live, std::uint64_t used = 0) {
    auto view = std::make_shared<SystemView>();
    SystemView& system = *view;
    system.taken_realtime_ns = now_;
    TargetSample target;
    target.pid = kPid;
    target.memory.anonymous = used;
    target.limit = 1000;
    target.headroom = 1000 - used;
    system.targets = {target};
    for (std::uint32_t other = 1; other <= 20; ++other) {
      TargetSample& big = system.targets.emplace_back();
      big.pid = other;
      big.process = "other" + std::to_string(other);
      big.memory.anonymous = other * 100;
    }
    system.memory = HostMemory{.total = 5000, .available = 4000};
    const bool short_of_memory =
        life_.Look(ViewOf(live), {now_, view, nullptr});
    now_ += kSecond;
    return short_of_memory;
  }

  Obituary Told() {
    NoNames names;
    Obituary obituary;
    life_.Tell(names, obituary);
    return obituary;
  }

  std::uint64_t now_ = 1'000'000 * kSecond;
  Life life_;
};

TEST_F(LifeTest, KeepsTheHistoryOfTotalsAndCallsites) {
  Look({10, 20}, 100);
  Look({30, 20, 5}, 200);
  const Obituary told = Told();
  ASSERT_EQ(told.history.size(), 2U);
  ASSERT_EQ(told.callsites.size(), 3U);
  EXPECT_EQ(told.callsites[0].function, "F1");
  EXPECT_EQ(told.callsites[1].function, "F0");
  EXPECT_EQ(told.callsites[2].function, "F2");
  EXPECT_EQ(told.history[0].time_ms, 1'000'000'000U);
  EXPECT_EQ(told.history[0].values,
            (std::vector<std::uint64_t>{30, 0, 100, 0, 20, 10, 0}));
  EXPECT_EQ(told.history[1].values,
            (std::vector<std::uint64_t>{55, 0, 200, 0, 20, 30, 5}));
  EXPECT_EQ(told.watched_since_ns, 1'000'000 * kSecond);
  EXPECT_EQ(told.last_resident_bytes, 200U);
  EXPECT_EQ(told.host_before->available_bytes, 4000U);
  ASSERT_EQ(told.others.size(), 10U);
  EXPECT_EQ(told.others[0].name, "other20");
}

TEST_F(LifeTest, TheLastStateOfTheLedgerIsTheHistorysEnd) {
  Look({10});
  life_.AddLast(*ViewOf({70}), now_);
  const Obituary told = Told();
  ASSERT_EQ(told.history.size(), 2U);
  EXPECT_EQ(told.At(1, Column::kLive), 70U);
  EXPECT_EQ(told.history[1].values[kFixedColumns], 70U);
}

TEST_F(LifeTest, ALateLeakGetsAColumnFromTheSmallest) {
  std::vector<std::uint64_t> live(40);
  for (std::size_t i = 0; i < live.size(); ++i) live[i] = 1000 - i;
  for (int i = 0; i < 10; ++i) Look(live);
  // Callsite 39 was never among those that may ask.
  for (int i = 0; i < 10; ++i) {
    live[39] += 1000;
    Look(live);
  }
  const Obituary told = Told();
  ASSERT_LE(told.callsites.size(), Life::kMaxCallsites);
  const auto leak =
      std::ranges::find(told.callsites, "F39", &CallsiteColumn::function);
  ASSERT_NE(leak, told.callsites.end());
  const auto rise = RiseOf(told, leak->callsite);
  ASSERT_TRUE(rise);
  EXPECT_GT(rise->bytes, 7000U);
}

TEST_F(LifeTest, StaysWithinItsRoomForDays) {
  std::vector<std::uint64_t> live(12, 1 << 20);
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    for (std::size_t c = 0; c < live.size(); ++c) live[c] += (i * (c + 7)) % 91;
    Look(live, i % 800);
  }
  EXPECT_LE(life_.EncodedHistory().size(), Series::kDefaultMaxBytes + 64);
  EXPECT_GT(Told().history.size(), 300U);
}

TEST_F(LifeTest, MemoryThatRunsShortIsKeptOncePerEpisode) {
  EXPECT_FALSE(Look({800, 50}, 890));
  EXPECT_TRUE(Look({820, 50}, 901));
  EXPECT_FALSE(Look({820, 50}, 930));
  EXPECT_FALSE(Look({820, 50}, 880));  // not calm yet: the same episode
  EXPECT_FALSE(Look({820, 50}, 910));
  EXPECT_TRUE(Look({920, 50}, 980));
  EXPECT_FALSE(Look({920, 50}, 990));
  EXPECT_FALSE(Look({100, 50}, 400));
  EXPECT_TRUE(Look({920, 50}, 999));  // the next one, both at once
  const Obituary told = Told();
  ASSERT_EQ(told.pressure.size(), 3U);
  EXPECT_DOUBLE_EQ(told.pressure[0].threshold, 0.90);
  EXPECT_NEAR(told.pressure[0].usage_ratio, 0.901, 1e-9);
  EXPECT_EQ(told.pressure[0].limit_bytes, 1000U);
  EXPECT_EQ(told.pressure[0].top[0].site.function, "F0");
  EXPECT_EQ(told.pressure[0].top[0].live_bytes, 820U);
  EXPECT_DOUBLE_EQ(told.pressure[1].threshold, 0.97);
  EXPECT_DOUBLE_EQ(told.pressure[2].threshold, 0.97);
  EXPECT_EQ(std::ranges::count(told.events, "pressure", &Event::kind), 3);
}

}  // namespace
}  // namespace heapledger::collector::obituary
