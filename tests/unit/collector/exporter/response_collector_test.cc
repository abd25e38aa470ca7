// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/response_collector.h"

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "collector/exporter/dropped_series.h"
#include "collector/exporter/registry.h"

namespace heapledger::collector {
namespace {

using response::Level;
using response::Result;

std::shared_ptr<const response::ResponseView> SomeView() {
  auto view = std::make_shared<response::ResponseView>();
  response::LevelView program;
  program.target.process = "db";
  program.target.key.pid = 42;
  program.level = Level::kHigh;
  view->levels.push_back(program);
  view->counts.push_back({{"db", "trim", Level::kHigh}, Result::kReduced, 3});
  view->reduced.push_back({"db", "trim", 4096});
  response::Event event;
  event.process = "db";
  event.action = "trim";
  event.result = Result::kReduced;
  event.text = "db \xff";  // what a program calls itself
  view->last_events.push_back(event);
  return view;
}

TEST(ResponseCollectorTest, ServesLevelsActionsAndMessages) {
  response::Webhook webhook({}, "",
                            [](const response::Alert&) { return true; });
  (void)webhook.Take({.body = "", .signature = "", .authenticated = false},
                     std::chrono::seconds(1000));
  DroppedSeries dropped;
  MetricRegistry registry(&dropped);
  registry.Add("memory",
               MakeResponseCollector({.view = SomeView, .webhook = &webhook}));
  const std::string page = registry.Render();
  for (const char* line :
       {"heapledger_response_level{process=\"db\",pid=\"42\"} 3\n",
        "heapledger_response_actions_total{process=\"db\",action=\"trim\","
        "level=\"high\",result=\"reduced\"} 3\n",
        "heapledger_response_reduced_bytes_total{process=\"db\","
        "action=\"trim\"} 4096\n",
        "heapledger_response_dry_run 0\n",
        "heapledger_webhook_requests_total{result=\"unauthenticated\"} 1\n",
        "heapledger_webhook_requests_total{result=\"accepted\"} 0\n",
        "heapledger_webhook_alerts_total{result=\"firing\"} 0\n"}) {
    EXPECT_NE(page.find(line), std::string::npos) << line << page;
  }
}

TEST(ResponseCollectorTest, TheSameAsJson) {
  const auto json = nlohmann::json::parse(RenderResponse(*SomeView()));
  EXPECT_EQ(json["programs"][0]["level"], "high");
  EXPECT_EQ(json["actions"][0]["count"], 3);
  EXPECT_EQ(json["events"][0]["result"], "reduced");
  EXPECT_FALSE(json["dry_run"]);
}

}  // namespace
}  // namespace heapledger::collector
