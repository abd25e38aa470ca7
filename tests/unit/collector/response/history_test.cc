// SPDX-License-Identifier: Apache-2.0
#include "collector/response/history.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/collector/response/response_fixtures.h"

namespace heapledger::collector::response {
namespace {

using namespace std::chrono_literals;

TEST(HistoryTest, ReadsCsv) {
  const auto history = ParseHistory(
      "# a run\ntime,process,used_bytes,limit_bytes,live_bytes,colour\n"
      "0,db,50,100,40,red\r\n"
      "10.5,db,90,100,,blue\n",
      "h.csv");
  ASSERT_TRUE(history.ok()) << history.status();
  ASSERT_EQ(history->rows.size(), 2U);
  const HistoryRow& row = history->rows[1];
  EXPECT_EQ(row.at, Time(10500ms));
  EXPECT_EQ(row.reading.target.process, "db");
  EXPECT_EQ(row.reading.reading[Quantity::kUsage], 0.9);
  EXPECT_EQ(row.reading.reading[Quantity::kHeadroom], 10);
  EXPECT_EQ(row.reading.reading.live_bytes, std::nullopt);
  EXPECT_EQ(history->rows[0].reading.reading.live_bytes, 40U);
  EXPECT_EQ(history->ignored, std::set<std::string>{"colour"});
  EXPECT_FALSE(history->since_epoch);
}

TEST(HistoryTest, ReadsJsonLines) {
  const auto history = ParseHistory(
      R"({"time":"2026-01-31T12:00:00Z","usage":0.5,"pid":7,"python":true})"
      "\n"
      R"({"time":"2026-01-31T12:00:01Z","usage":0.7,"alert":"high","x":null})",
      "h");
  ASSERT_TRUE(history.ok()) << history.status();
  EXPECT_TRUE(history->since_epoch);
  EXPECT_EQ(history->rows[0].reading.target.key.pid, 7U);
  EXPECT_TRUE(history->rows[0].reading.target.python);
  EXPECT_EQ(history->rows[1].at - history->rows[0].at, Duration(1s));
  EXPECT_EQ(history->rows[1].alert, Level::kHigh);
}

TEST(HistoryTest, MakesDoWithWhatThereIs) {
  const auto history = ParseHistory(
      "{\"time\":0,\"resident_bytes\":50,\"cgroup_bytes\":60}\n"
      "{\"time\":1,\"resident_bytes\":50}\n"
      "{\"time\":2,\"resident_bytes\":50,\"limit_bytes\":100}\n",
      "h", 200);
  ASSERT_TRUE(history.ok()) << history.status();
  const auto usage = [&history](std::size_t row) {
    return history->rows[row].reading.reading[Quantity::kUsage];
  };
  EXPECT_EQ(usage(0), 0.3);
  EXPECT_EQ(usage(1), 0.25);
  EXPECT_EQ(usage(2), 0.5);
}

TEST(HistoryTest, WhatIsWrongIsSaidWithItsLine) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "h: it has no readings"},
      {"time,used\n1", "h line 2 has 1 fields, the first line 2"},
      {"{\"usage\":1}", "h line 1 has no time"},
      {"{\"time\":1,\"usage\":\"x\"}", "h line 1 has 'x' as its usage"},
      {"{\"time\":1}\n{\"time\":0}", "h line 2 is earlier than"},
      {"{\"time\":", "h line 1 is no JSON object"},
      {"time\n-5", "has '-5' as its time"},
  };
  for (const auto& [text, why] : cases) {
    const auto history = ParseHistory(text, "h");
    ASSERT_FALSE(history.ok()) << text;
    EXPECT_NE(history.status().message().find(why), std::string::npos)
        << history.status().message();
  }
}

TEST(ReplayTest, ShowsWhatWouldHaveBeenDoneAndWhen) {
  const Rules rules = RulesFrom(
      "rules: [{levels: {medium: {usage: 80%, dwell: 5s, do: [oom_score]}}}]");
  std::string text = "time,process,pid,usage\n";
  for (const auto& [time, usage] :
       {std::pair{0, 0.5}, {60, 0.85}, {120, 0.5}, {180, 0.5}}) {
    text += std::to_string(time) + ",db,1," + std::to_string(usage) + "\n" +
            std::to_string(time) + ",web,1,0.2\n";
  }
  const auto history = ParseHistory(text, "h");
  ASSERT_TRUE(history.ok()) << history.status();
  const std::vector<Event> events = Replay(rules, *history);
  ASSERT_EQ(events.size(), 4U);
  EXPECT_EQ(events[0].kind, EventKind::kLevel);
  EXPECT_EQ(events[0].process, "db");
  EXPECT_EQ(events[0].at, Time(65s));
  EXPECT_EQ(events[1].kind, EventKind::kBegun);
  EXPECT_EQ(events[1].action, "oom_score");
  EXPECT_EQ(events[2].at, Time(130s));
  EXPECT_EQ(events[2].level, Level::kNone);
  EXPECT_EQ(events[3].kind, EventKind::kUndone);
}

TEST(ReplayTest, ALongGapIsNotLookedAtForEver) {
  const Rules rules = RulesFrom("rules: [{}]");
  const auto history = ParseHistory(
      "{\"time\":0,\"usage\":0.9}\n{\"time\":3999999999,\"usage\":0.9}", "h");
  ASSERT_TRUE(history.ok());
  EXPECT_FALSE(Replay(rules, *history).empty());
}

}  // namespace
}  // namespace heapledger::collector::response
