// SPDX-License-Identifier: Apache-2.0
#include "collector/profile/page_data.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "collector/profile/difference.h"
#include "tests/unit/collector/profile/heap_maker.h"

namespace heapledger::collector {
namespace {

using nlohmann::json;
using testing::HeapMaker;

TEST(PageDataTest, NamesAStackByItsNodeAndANameByItsNumber) {
  HeapMaker heap;
  const auto main = heap.AddFrame("main");
  heap.AddCallsite({heap.AddFrame("f"), main}, 10, 1);
  heap.AddCallsite({heap.AddFrame("g"), main}, 20, 1);
  const json data = json::parse(PageData(heap.Make(), {}));
  const auto name_of = [&](int node) -> std::string {
    const int frame = data["frames"][node];
    return data["strings"][data["functions"][frame].get<int>()];
  };
  EXPECT_EQ(data["ups"], json::parse("[0,1,1,2]"));
  EXPECT_EQ(data["callsites"]["node"], json::parse("[2,3]"));
  EXPECT_EQ(name_of(0), "all");
  EXPECT_EQ(name_of(1), "main");
  EXPECT_EQ(name_of(2), "f");
  EXPECT_EQ(name_of(3), "g");
  EXPECT_EQ(data["callsites"]["values"],
            json::parse("[[10,20],[1,1],[10,20],[1,1]]"));
  EXPECT_FALSE(data["callsites"].contains("before_values"));
}

TEST(PageDataTest, MayStandWithinAScript) {
  HeapMaker heap;
  heap.AddCallsite({heap.AddFrame("</script><!--<script>")}, 10, 1);
  const std::string data = PageData(heap.Make(), {});
  EXPECT_EQ(data.find('<'), std::string::npos);
  EXPECT_NE(json::parse(data)["strings"].dump().find("</script><!--<script>"),
            std::string::npos);
}

TEST(PageDataTest, HasTheValuesBeforeOfADifference) {
  HeapMaker heap;
  const auto callsite = heap.AddCallsite({heap.AddFrame("f")}, 10, 1);
  const Profile before = heap.Make();
  heap.Allocate(callsite, 5, 1);
  const json data = json::parse(PageData(Difference(before, heap.Make()), {}));
  EXPECT_EQ(data["difference"], true);
  EXPECT_EQ(data["callsites"]["values"], json::parse("[[5],[1],[5],[1]]"));
  EXPECT_EQ(data["callsites"]["before_values"],
            json::parse("[[10],[1],[10],[1]]"));
}

}  // namespace
}  // namespace heapledger::collector
