// SPDX-License-Identifier: Apache-2.0
#include "collector/profile/profile.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "collector/ledger/fingerprint.h"
#include "tests/unit/collector/profile/heap_maker.h"

namespace heapledger::collector {
namespace {

using testing::Function;
using testing::HeapMaker;

TEST(MakeProfileTest, HasOneSamplePerCallsiteThatAddUpToTheSnapshot) {
  HeapMaker heap = testing::RandomHeap(1, 200, 10);
  const Profile profile = heap.Make();
  const auto snapshot = heap.Take();
  ASSERT_EQ(profile.samples.size(), 200U);
  EXPECT_EQ(profile.totals, ValuesOf(snapshot->totals));
  ProfileValues sum;
  for (const ProfileSample& sample : profile.samples) sum += sample.values;
  EXPECT_EQ(sum, profile.totals);
  EXPECT_FALSE(profile.is_difference);
}

TEST(MakeProfileTest, OutlivesTheSnapshotAndTheNames) {
  std::optional<Profile> profile;
  {
    HeapMaker heap;
    const auto main = heap.AddFrame("main");
    const auto insert = heap.AddFrame(
        {Function("Cache::Insert(int)", "cache.cc", 31), Function("Serve()")});
    heap.AddCallsite({insert, main}, 100, 2);
    const Profile made = heap.Make();
    profile = made;
  }
  const ProfileSample& sample = profile->samples[0];
  EXPECT_EQ(sample.name.function, "Cache::Insert(int)");
  EXPECT_EQ(sample.name.Location(), "cache.cc:31");
  ASSERT_EQ(profile->stack(sample).size(), 2U);
  const ProfileLocation& inner =
      profile->locations[profile->stack(sample).front()];
  EXPECT_EQ(inner.names->front().function, "Cache::Insert(int)");
  EXPECT_EQ(inner.names->back().function, "Serve()");
  EXPECT_EQ(profile->modules[inner.module].path, "/usr/bin/prog");
}

TEST(MakeProfileTest, NamesCallsitesByTheirFingerprint) {
  HeapMaker heap;
  const auto main = heap.AddFrame("main");
  const auto whole = heap.AddCallsite({main}, 1, 1);
  const auto overflow = heap.AddCallsite({}, 1, 1);
  heap.callsite(overflow).overflow = true;
  const Profile profile = heap.Make();
  const FrameHash hash = HashFrame(Function("main"));
  EXPECT_EQ(profile.samples[whole].callsite,
            FingerprintOf(std::span(&hash, 1)).ToString());
  EXPECT_EQ(profile.samples[overflow].callsite,
            OverflowFingerprint().ToString());
}

TEST(MakeProfileTest, SaysWhatTheFiguresLack) {
  HeapMaker heap;
  heap.snapshot().mode = MeasureMode::kSampled;
  heap.snapshot().sample_bytes = 65536;
  heap.snapshot().degraded[0] = 7;
  const Profile profile = heap.Make();
  EXPECT_TRUE(profile.facts.estimated);
  ASSERT_EQ(profile.facts.remarks.size(), 2U);
  EXPECT_NE(profile.facts.remarks[0].find("65536"), std::string::npos);
  EXPECT_EQ(profile.facts.remarks[1].rfind("7 x ", 0), 0U);
}

TEST(StackEndMarkTest, TellsApartWhatAStackLacks) {
  HeapMaker heap;
  const auto main = heap.AddFrame("main");
  const auto truncated = heap.AddCallsite({main}, 10, 1);
  const auto cut = heap.AddCallsite({main}, 20, 1);
  const auto incomplete = heap.AddCallsite({main}, 30, 1);
  const auto none = heap.AddCallsite({}, 40, 1);
  const auto whole = heap.AddCallsite({main}, 50, 1);
  heap.callsite(truncated).truncated = true;
  heap.callsite(cut).cut = true;
  heap.callsite(incomplete).incomplete = true;
  const Profile profile = heap.Make();
  const auto mark = [&](std::uint32_t i) {
    return StackEndMark(profile.samples[i]);
  };
  EXPECT_EQ(mark(truncated), "[truncated]");
  EXPECT_EQ(mark(cut), "[cut]");
  EXPECT_EQ(mark(incomplete), "[incomplete]");
  EXPECT_EQ(mark(none), "[no stack]");
  EXPECT_EQ(mark(whole), "");
  const StackLosses losses = LossesOf(profile);
  EXPECT_EQ(losses.truncated.live_bytes, 10);
  EXPECT_EQ(losses.cut.live_bytes, 20);
  EXPECT_EQ(losses.incomplete.live_bytes, 30);
}

}  // namespace
}  // namespace heapledger::collector
