// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "collector/profile/difference.h"
#include "collector/profile/writers.h"
#include "tests/unit/collector/profile/heap_maker.h"

namespace heapledger::collector {
namespace {

using nlohmann::json;
using testing::HeapMaker;

TEST(WriteSpeedscopeTest, HasAProfilePerValueOutermostFirst) {
  HeapMaker heap;
  const auto main = heap.AddFrame("main");
  heap.AddCallsite({heap.AddFrame("f"), main}, 10, 2);
  WriteOptions options;
  options.value = ProfileValue::kLiveObjects;
  const json data = json::parse(WriteSpeedscope(heap.Make(), options));
  ASSERT_EQ(data["profiles"].size(), 4U);
  EXPECT_EQ(data["activeProfileIndex"], 1);
  const json& objects = data["profiles"][1];
  EXPECT_EQ(objects["name"], "live-objects");
  EXPECT_EQ(objects["unit"], "none");
  EXPECT_EQ(objects["weights"], json::parse("[2]"));
  const json& frames = data["shared"]["frames"];
  EXPECT_EQ(frames[objects["samples"][0][0].get<int>()]["name"], "main");
  EXPECT_EQ(frames[objects["samples"][0][1].get<int>()]["name"], "f");
}

TEST(WriteSpeedscopeTest, SplitsADifferenceIntoWhatGrewAndWhatShrank) {
  HeapMaker heap;
  const auto f = heap.AddCallsite({heap.AddFrame("f")}, 10, 2);
  const auto g = heap.AddCallsite({heap.AddFrame("g")}, 10, 2);
  const Profile before = heap.Make();
  heap.Allocate(f, 5, 1);
  heap.Free(g, 7, 1);
  const json data =
      json::parse(WriteSpeedscope(Difference(before, heap.Make()), {}));
  ASSERT_EQ(data["profiles"].size(), 8U);
  EXPECT_EQ(data["profiles"][0]["weights"], json::parse("[5]"));
  EXPECT_EQ(data["profiles"][1]["weights"], json::parse("[7]"));
}

}  // namespace
}  // namespace heapledger::collector
