// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "collector/profile/difference.h"
#include "collector/profile/writers.h"
#include "tests/unit/collector/profile/heap_maker.h"

namespace heapledger::collector {
namespace {

using nlohmann::json;
using testing::Function;
using testing::HeapMaker;

class WriteJsonTest : public ::testing::Test {
 protected:
  WriteJsonTest() {
    const auto main = heap_.AddFrame("main");
    const auto insert =
        heap_.AddFrame({Function("Insert", "cache.cc", 31), Function("Serve")});
    small_ = heap_.AddCallsite({main}, 10, 1);
    heap_.AddCallsite({insert, main}, 100, 2);
    heap_.callsite(small_).truncated = true;
  }

  HeapMaker heap_;
  std::uint32_t small_;
};

TEST_F(WriteJsonTest, HasTheDocumentedShape) {
  const json data = json::parse(WriteJson(heap_.Make(), {}));
  EXPECT_EQ(data["heapledger_profile"], 1);
  EXPECT_EQ(data["facts"]["program"], "prog");
  EXPECT_EQ(data["facts"]["taken_at"], "2023-11-14T22:13:20Z");
  EXPECT_FALSE(data["facts"].contains("moment"));
  EXPECT_EQ(data["difference"], false);
  EXPECT_FALSE(data.contains("before"));
  EXPECT_EQ(data["totals"], json::parse(R"({"live_bytes":110,
      "live_objects":3,"allocated_bytes":110,"allocations":3})"));
  EXPECT_EQ(data["modules"],
            json::parse(R"([{"path":"/usr/bin/prog","build_id":"aabb"}])"));
  EXPECT_EQ(data["frames"], json::parse(R"([
      {"function":"main","module":0,"rel_pc":16},
      {"function":"Insert","module":0,"file":"cache.cc","line":31,"rel_pc":32,
       "inlined":true},
      {"function":"Serve","module":0,"rel_pc":32}])"));
  const json& first = data["callsites"][0];
  EXPECT_EQ(first["function"], "Insert");
  EXPECT_EQ(first["line"], 31);
  EXPECT_EQ(first["stack"], json::parse("[1,2,0]"));
  EXPECT_FALSE(first.contains("truncated"));
  EXPECT_EQ(data["callsites"][1]["truncated"], true);
  EXPECT_EQ(data["other"]["callsites"], 0);
}

TEST_F(WriteJsonTest, SumsWhatIsBeyondTheLimit) {
  WriteOptions options;
  options.limit = 1;
  const json data = json::parse(WriteJson(heap_.Make(), options));
  EXPECT_EQ(data["callsites"].size(), 1U);
  EXPECT_EQ(data["other"]["callsites"], 1);
  EXPECT_EQ(data["other"]["values"]["live_bytes"], 10);
}

TEST_F(WriteJsonTest, HasBothEndsOfADifference) {
  const Profile before = heap_.Make();
  heap_.Free(small_, 10, 1);
  Profile difference = Difference(before, heap_.Make());
  difference.compared[0].moment = "warm";
  const json data = json::parse(WriteJson(difference, {}));
  EXPECT_EQ(data["difference"], true);
  EXPECT_EQ(data["before"]["live_bytes"], 110);
  EXPECT_EQ(data["totals"]["live_bytes"], -10);
  EXPECT_EQ(data["compared"][0]["moment"], "warm");
  EXPECT_EQ(data["callsites"][1]["before"]["live_bytes"], 10);
  EXPECT_EQ(data["callsites"][1]["values"]["live_bytes"], -10);
}

}  // namespace
}  // namespace heapledger::collector
