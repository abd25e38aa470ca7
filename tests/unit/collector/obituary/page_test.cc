// SPDX-License-Identifier: Apache-2.0
#include "collector/obituary/page.h"

#include <gtest/gtest.h>

#include <string>

namespace heapledger::collector::obituary {
namespace {

constexpr char kHostile[] = "<script>alert(1)</script>\"'&";

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

Obituary WithHistory() {
  Obituary o;
  for (std::uint64_t i = 0; i < 5; ++i) {
    o.history.push_back({1'700'000'000'000 + 1000 * i, {i * 1024, 1, 0, 0}});
  }
  o.events.push_back({1'700'000'002'000'000'000, "mark", "mark before"});
  return o;
}

TEST(PageTest, DrawsTheCurveWithWhatHappened) {
  const std::string svg = CurveSvg(WithHistory());
  EXPECT_TRUE(Has(svg, "<polyline class=\"live\""));
  EXPECT_TRUE(Has(svg, "<title>mark before</title>"));
  EXPECT_TRUE(Has(svg, "4.0 KiB"));
  EXPECT_TRUE(Has(svg, "2023-11-14T22:13:24Z"));
  // Resident memory is not known: 0 is no curve.
  EXPECT_FALSE(Has(svg, "class=\"resident\""));
}

TEST(PageTest, WithoutAHistoryThereIsNoCurve) {
  EXPECT_EQ(CurveSvg(Obituary()), "");
  Obituary one = WithHistory();
  one.history.resize(1);
  EXPECT_EQ(CurveSvg(one), "");
}

TEST(PageTest, NothingFromTheTargetGetsThroughAsMarkup) {
  Obituary o = WithHistory();
  o.ending.evidence = {kHostile};
  o.remarks = {kHostile};
  o.others = {{kHostile, 1, 1, true}};
  o.events.push_back({1'700'000'002'000'000'000, kHostile, kHostile});
  CallsiteColumn site = {kHostile, kHostile, kHostile, kHostile, 1};
  o.pressure = {{1, 0.9, 0.9, 1, 1, 1, {{site, 1, 1}}}};
  o.suspects = {
      {"suspects",
       {{{"function", kHostile},
         {"callsite", kHostile},
         {"evidence", {{{"kind", kHostile}, {"reason", kHostile}}}}}}}};
  LedgerSnapshot snapshot;
  snapshot.identity.exe = kHostile;
  snapshot.totals.allocated_bytes = 5;
  const std::string page = PageSection(snapshot, o, {{site, 5, 1}});
  EXPECT_FALSE(Has(page, "<script"));
  EXPECT_TRUE(Has(page, "&lt;script"));
}

TEST(PageTest, SuspectsOfAnyShapeAreRead) {
  for (const char* text :
       {"[]", "{}", R"({"suspects": 1})", R"({"suspects": [1, {}]})",
        R"({"suspects": [{"evidence": [1, {}], "function": 7}]})"}) {
    Obituary o;
    o.suspects = nlohmann::ordered_json::parse(text);
    EXPECT_TRUE(Has(PageSection(LedgerSnapshot(), o, {}), "</section>"));
  }
}

}  // namespace
}  // namespace heapledger::collector::obituary
