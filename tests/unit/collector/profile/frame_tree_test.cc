// SPDX-License-Identifier: Apache-2.0
#include "collector/profile/frame_tree.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/collector/profile/heap_maker.h"

namespace heapledger::collector {
namespace {

using testing::Function;
using testing::HeapMaker;

std::string PathOf(const FrameTree& tree, std::uint32_t node) {
  std::string path;
  for (; node != 0; node = tree.parents()[node]) {
    path = "/" + tree.frame(node).function + path;
  }
  return path;
}

TEST(FrameTreeTest, SharesOuterFramesAndSpreadsInlinedOnes) {
  HeapMaker heap;
  const auto main = heap.AddFrame("main");
  const auto serve = heap.AddFrame({Function("inlined"), Function("serve")});
  const auto leaf = heap.AddFrame("leaf");
  heap.AddCallsite({leaf, serve, main}, 10, 1);
  heap.AddCallsite({serve, main}, 5, 1);
  heap.AddCallsite({main}, 3, 1);
  const Profile profile = heap.Make();
  const FrameTree tree(profile);
  EXPECT_EQ(PathOf(tree, tree.leaves()[0]), "/main/serve/inlined/leaf");
  EXPECT_EQ(PathOf(tree, tree.leaves()[1]), "/main/serve/inlined");
  EXPECT_EQ(tree.size(), 5U);
  const auto totals =
      tree.Totals(SampleValues(profile, ProfileValue::kLiveBytes));
  EXPECT_EQ(totals[0], 18);
  EXPECT_EQ(totals[tree.leaves()[1]], 15);
  EXPECT_EQ(totals[tree.leaves()[0]], 10);
}

TEST(FrameTreeTest, SetsStacksThatLackFramesApart) {
  HeapMaker heap;
  const auto main = heap.AddFrame("main");
  heap.AddCallsite({main}, 1, 1);
  heap.callsite(heap.AddCallsite({main}, 2, 1)).truncated = true;
  heap.callsite(heap.AddCallsite({}, 4, 1)).overflow = true;
  heap.AddCallsite({}, 8, 1);
  const FrameTree tree(heap.Make());
  EXPECT_EQ(PathOf(tree, tree.leaves()[0]), "/main");
  EXPECT_EQ(PathOf(tree, tree.leaves()[1]), "/[truncated]/main");
  EXPECT_EQ(PathOf(tree, tree.leaves()[2]), "/[overflow]");
  EXPECT_EQ(PathOf(tree, tree.leaves()[3]), "/[no stack]");
}

TEST(FrameTreeTest, OrdersChildrenByWeightThenName) {
  HeapMaker heap;
  for (const char* name : {"b", "c", "a"}) {
    heap.AddCallsite({heap.AddFrame(name)}, 7, 1);
  }
  heap.AddCallsite({heap.AddFrame("z")}, 8, 1);
  const Profile profile = heap.Make();
  const FrameTree tree(profile);
  const auto children = tree.Children(
      tree.Totals(SampleValues(profile, ProfileValue::kLiveBytes)));
  std::string order;
  for (const std::uint32_t child : children[0]) {
    order += tree.frame(child).function;
  }
  EXPECT_EQ(order, "zabc");
}

}  // namespace
}  // namespace heapledger::collector
