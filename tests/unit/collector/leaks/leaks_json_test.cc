// SPDX-License-Identifier: Apache-2.0
#include "collector/leaks/leaks_json.h"

#include <gtest/gtest.h>

#include "tests/unit/collector/ledger/fake_names.h"

namespace heapledger::collector {
namespace {

TEST(LeaksJsonTest, HasEveryFigureOfASuspect) {
  testing::SnapshotMaker maker;
  testing::FakeNames names;
  maker.counters(maker.AddCallsite({1, 2})).allocated_bytes = 640;
  auto snapshot = std::make_shared<LedgerSnapshot>(*maker.At(90 * kSecondNs));
  snapshot->identity.pid = 42;
  snapshot->identity.exe = "/srv/server";
  ProcessLeakView view;
  view.snapshot = snapshot;
  view.watched = 3;
  view.looked_ns = 80 * kSecondNs;
  Suspect& suspect = view.suspects.emplace_back();
  suspect.callsite.fingerprint = Fingerprint(0xabc);
  suspect.callsite.name = {"Leak", "server", "leak.cc", 12};
  suspect.callsite.counters = maker.counters(0);
  suspect.callsite.callsites = {0};
  suspect.state = SuspectState::kKnown;
  suspect.growth.emplace();
  suspect.growth->window_ns = 60 * kSecondNs;
  suspect.growth->bytes_per_second = 8;
  suspect.age = AgeEvidence();
  suspect.named_monotonic_ns = 70 * kSecondNs;
  view.trend.growth = GrowthEvidence();
  view.trend.growth->window_ns = 1800 * kSecondNs;
  view.trend.growth->bytes_per_second = 10;
  view.trend.score = 0.5;
  view.trend.exhaustion_seconds = 600;

  const auto json = LeaksJson(view, names);
  EXPECT_EQ(json["process"], "server");
  EXPECT_EQ(json["pid"], 42);
  EXPECT_EQ(json["looked_seconds"], 80);
  EXPECT_EQ(json["watched_callsites"], 3);
  const auto& trend = json["trend"];
  EXPECT_EQ(trend["score"], 0.5);
  EXPECT_EQ(trend["window_seconds"], 1800);
  EXPECT_EQ(trend["bytes_per_second"], 10);
  EXPECT_EQ(trend["exhaustion_seconds"], 600);
  EXPECT_EQ(trend["reason"],
            "the floor of the process' live bytes rose over 30 min 00 s, by "
            "10 B/s; at that pace its memory is used up in 10 min 00 s; "
            "carried by Leak (80 %)");
  const auto& one = json["suspects"].at(0);
  EXPECT_EQ(one["callsite"], "0000000000000abc");
  EXPECT_EQ(one["state"], "known");
  EXPECT_EQ(one["line"], 12);
  EXPECT_EQ(one["live_bytes"], 640);
  EXPECT_EQ(one["named_seconds_ago"], 20);
  ASSERT_EQ(one["evidence"].size(), 2U);
  EXPECT_EQ(one["evidence"][0]["kind"], "growth");
  EXPECT_EQ(one["evidence"][0]["bytes_in_an_hour"], 28'800);
  EXPECT_EQ(one["evidence"][1]["kind"], "age");
  ASSERT_EQ(one["stack"].size(), 2U);
  EXPECT_EQ(one["stack"][1]["function"], "f2");
}

TEST(LeaksJsonTest, HasNothingToSayOfAProcessThatDoesNotGrow) {
  testing::SnapshotMaker maker;
  testing::FakeNames names;
  ProcessLeakView view;
  view.snapshot = maker.At(kSecondNs);
  EXPECT_EQ(LeaksJson(view, names)["trend"],
            nlohmann::ordered_json({{"score", 0.0}}));
}

}  // namespace
}  // namespace heapledger::collector
