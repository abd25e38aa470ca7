// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

#include "collector/profile/difference.h"
#include "collector/profile/writers.h"
#include "tests/unit/collector/profile/heap_maker.h"

namespace heapledger::collector {
namespace {

using testing::HeapMaker;

TEST(WriteFoldedTest, WritesOutermostFirstAndAddsUpEqualStacks) {
  HeapMaker heap;
  const auto main = heap.AddFrame("main");
  const auto f = heap.AddFrame("f;g\n");
  const auto nameless = heap.AddFrame("");
  heap.AddCallsite({f, main}, 10, 1);
  heap.AddCallsite({f, main}, 5, 1);
  heap.AddCallsite({nameless, main}, 3, 1);
  heap.AddCallsite({main}, 0, 0);
  heap.callsite(heap.AddCallsite({f}, 7, 1)).truncated = true;
  EXPECT_EQ(WriteFolded(heap.Make(), {}),
            "[truncated];f:g\ufffd 7\n"
            "main;f:g\ufffd 15\n"
            "main;prog+0x30 3\n");
}

TEST(WriteFoldedTest, WritesBeforeAndAfterOfADifference) {
  HeapMaker heap;
  const auto main = heap.AddFrame("main");
  const auto callsite = heap.AddCallsite({main}, 10, 1);
  const Profile before = heap.Make();
  heap.Free(callsite, 4, 0);
  EXPECT_EQ(WriteFolded(Difference(before, heap.Make()), {}), "main 10 6\n");
}

}  // namespace
}  // namespace heapledger::collector
