// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/response_collector.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "collector/exporter/families.h"

namespace heapledger::collector {
namespace {

using response::AlertResult;
using response::AlertResultWord;
using response::LevelWord;
using response::ResponseView;
using response::ResultWord;
using response::WebhookResult;
using response::WebhookResultWord;

Family Levels(const ResponseView& view) {
  Family family = Family::Gauge(
      "heapledger_response_level",
      "How pressed for memory the program is: 0 not at all, 1 low, 2 medium, 3 "
      "high, 4 critical.");
  for (const response::LevelView& each : view.levels) {
    family.Add(With(With({}, "process", each.target.process), "pid",
                    absl::StrCat(each.target.key.pid)),
               static_cast<double>(each.level));
  }
  return family;
}

Family Actions(const ResponseView& view) {
  Family family = Family::Counter(
      "heapledger_response_actions_total",
      "What became of what was done about pressure; whether it reduced memory "
      "is known a minute later.");
  for (const response::ActionCount& each : view.counts) {
    family.Add(With(With(With(With({}, "process", each.label.process), "action",
                              each.label.action),
                         "level", LevelWord(each.label.level)),
                    "result", ResultWord(each.result)),
               each.count);
  }
  return family;
}

Family Reduced(const ResponseView& view) {
  Family family =
      Family::Counter("heapledger_response_reduced_bytes_total",
                      "By how much less memory was used a minute after actions "
                      "that reduced it.");
  for (const response::ReducedBytes& each : view.reduced) {
    family.Add(With(With({}, "process", each.process), "action", each.action),
               each.bytes);
  }
  return family;
}

class ResponseCollector final : public MetricCollector {
 public:
  explicit ResponseCollector(ResponseSource source)
      : source_(std::move(source)) {}

  std::string_view name() const override { return "response"; }

  absl::StatusOr<MetricFamilies> Collect() override {
    const auto view = source_.view();
    const response::WebhookCounts counts = source_.webhook->counts();
    Family requests =
        Family::Counter("heapledger_webhook_requests_total",
                        "Messages of Alertmanager, by what became of them.");
    for (std::size_t i = 0; i < response::kWebhookResults; ++i) {
      requests.Add(
          With({}, "result", WebhookResultWord(static_cast<WebhookResult>(i))),
          counts.requests[i]);
    }
    Family alerts =
        Family::Counter("heapledger_webhook_alerts_total",
                        "Alerts in these messages, by what became of them.");
    for (std::size_t i = 0; i < response::kAlertResults; ++i) {
      alerts.Add(
          With({}, "result", AlertResultWord(static_cast<AlertResult>(i))),
          counts.alerts[i]);
    }
    Family dry =
        Family::Gauge("heapledger_response_dry_run",
                      "Whether nothing is done and only said what would be.");
    dry.Add({}, view->dry_run ? 1.0 : 0.0);
    return TakeFamilies(Levels(*view), Actions(*view), Reduced(*view),
                        std::move(dry), std::move(requests), std::move(alerts));
  }

 private:
  const ResponseSource source_;
};

using Json = nlohmann::ordered_json;

}  // namespace

std::unique_ptr<MetricCollector> MakeResponseCollector(ResponseSource source) {
  return std::make_unique<ResponseCollector>(std::move(source));
}

std::string RenderResponse(const ResponseView& view) {
  Json json = {{"dry_run", view.dry_run},
               {"programs", Json::array()},
               {"actions", Json::array()},
               {"events", Json::array()}};
  for (const response::LevelView& each : view.levels) {
    json["programs"].push_back({{"process", each.target.process},
                                {"pid", each.target.key.pid},
                                {"level", std::string(LevelWord(each.level))}});
  }
  for (const response::ActionCount& each : view.counts) {
    json["actions"].push_back(
        {{"process", each.label.process},
         {"action", each.label.action},
         {"level", std::string(LevelWord(each.label.level))},
         {"result", std::string(ResultWord(each.result))},
         {"count", each.count}});
  }
  for (const response::Event& each : view.last_events) {
    Json event = {{"event", std::string(EventWord(each.kind))},
                  {"process", each.process},
                  {"pid", each.pid},
                  {"level", std::string(LevelWord(each.level))}};
    if (!each.action.empty()) event["action"] = each.action;
    if (each.result) event["result"] = std::string(ResultWord(*each.result));
    event["monotonic_ns"] = each.at.count();
    event["text"] = each.text;
    json["events"].push_back(std::move(event));
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace heapledger::collector
