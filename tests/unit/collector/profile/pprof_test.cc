// SPDX-License-Identifier: Apache-2.0
// That pprof itself reads it is shown in tests/integration/profile.
#include <gtest/gtest.h>

#include "collector/profile/difference.h"
#include "collector/profile/writers.h"
#include "tests/unit/collector/profile/heap_maker.h"

namespace heapledger::collector {
namespace {

using testing::HeapMaker;

TEST(WritePprofTest, GivesTheSameBytesForTheSameHeap) {
  const Profile profile = testing::RandomHeap(3, 100, 8).Make();
  EXPECT_EQ(*WritePprof(profile), *WritePprof(profile));
}

TEST(WritePprofTest, LeavesOutWhatHasNoValue) {
  HeapMaker heap;
  const auto main = heap.AddFrame("main");
  const auto f = heap.AddFrame("f");
  heap.AddCallsite({main}, 10, 1);
  const std::string without = *WritePprof(heap.Make());
  heap.AddCallsite({f, main}, 0, 0);
  EXPECT_EQ(*WritePprof(heap.Make()), without);
}

TEST(WritePprofTest, LabelsSamplesWithTheirTags) {
  HeapMaker heap;
  const auto callsite = heap.AddCallsite({heap.AddFrame("main")}, 10, 1);
  const std::string without = *WritePprof(heap.Make());
  heap.Tag(callsite, {"request", {{"tenant", "acme"}}});
  EXPECT_NE(*WritePprof(heap.Make()), without);
}

}  // namespace
}  // namespace heapledger::collector
