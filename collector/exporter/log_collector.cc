// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/log_collector.h"

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "collector/exporter/families.h"
#include "collector/ledger/utc_time.h"

namespace heapledger::collector {
namespace {

double Seconds(std::uint64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / 1e9;
}

struct PatternFamilies {
  Family matches = Family::Counter(
      "heapledger_log_pattern_matches_total",
      "Log lines that match the pattern. One event may take several lines.");
  Family first = Family::Gauge(
      "heapledger_log_pattern_first_seen_timestamp_seconds",
      "When the pattern first came, in Unix time; absent until then.");
  Family last = Family::Gauge(
      "heapledger_log_pattern_last_seen_timestamp_seconds",
      "When the pattern last came, in Unix time; absent until then.");

  void Add(const logs::PatternRecord& record) {
    const MetricLabels labels = With(With({}, "pattern", record.name),
                                     "severity", SeverityWord(record.severity));
    matches.Add(labels, record.count);
    if (record.count == 0) return;
    first.Add(labels, Seconds(record.first_seen_ns));
    last.Add(labels, Seconds(record.last_seen_ns));
  }
};

struct SourceFamilies {
  Family up =
      Family::Gauge("heapledger_log_source_up", "Whether the log can be read.");
  Family lines =
      Family::Counter("heapledger_log_lines_total", "Lines read of the log.");
  Family lost = Family::Counter(
      "heapledger_log_records_lost_total",
      "Records that were overwritten before they could be read.");

  void Add(const logs::SourceState& state) {
    const MetricLabels labels = With({}, "source", state.name);
    up.Add(labels, state.readable ? 1.0 : 0.0);
    lines.Add(labels, state.lines);
    lost.Add(labels, state.lost);
  }
};

class LogCollector final : public MetricCollector {
 public:
  LogCollector(const HostSource* source, const logs::LogWatch* watch)
      : source_(source), watch_(watch) {}

  std::string_view name() const override { return "logs"; }

  absl::StatusOr<MetricFamilies> Collect() override {
    const auto view = watch_->view();
    PatternFamilies patterns;
    for (const logs::PatternRecord& record : view->patterns) {
      patterns.Add(record);
    }
    SourceFamilies sources;
    for (const logs::SourceState& state : watch_->sources()) {
      sources.Add(state);
    }
    return TakeFamilies(std::move(patterns.matches), std::move(patterns.first),
                        std::move(patterns.last), Kills(*view),
                        std::move(sources.up), std::move(sources.lines),
                        std::move(sources.lost));
  }

 private:
  Family Kills(const logs::LogView& view) const {
    Family family = Family::Counter(
        "heapledger_log_oom_kills_total",
        "Kills for want of memory that the logs tell of, by the name that the "
        "killer gives: of the kernel's, the first 15 bytes of the program's; "
        "of systemd-oomd's, a cgroup. 0 for a measured program that was not "
        "killed.");
    std::map<std::string, std::uint64_t> kills = view.kills;
    for (const auto& process : source_->host()->processes) {
      kills.try_emplace(process->snapshot->identity.comm, 0);
    }
    kills.erase("");
    for (const auto& [process, count] : kills) {
      family.Add(With({}, "process", process), count);
    }
    return family;
  }

  const HostSource* source_;
  const logs::LogWatch* watch_;
};

using Json = nlohmann::ordered_json;

Json PatternJson(const logs::PatternRecord& record) {
  Json json = {{"pattern", record.name},
               {"severity", std::string(SeverityWord(record.severity))},
               {"description", record.description},
               {"count", record.count}};
  if (record.count == 0) return json;
  json["first_seen"] = UtcTimeText(record.first_seen_ns);
  json["last_seen"] = UtcTimeText(record.last_seen_ns);
  json["last"] = {{"source", record.last_source},
                  {"program", record.last_program},
                  {"text", record.last_text}};
  return json;
}

}  // namespace

std::unique_ptr<MetricCollector> MakeLogCollector(const HostSource* source,
                                                  const logs::LogWatch* watch) {
  return std::make_unique<LogCollector>(source, watch);
}

std::string RenderLogs(const logs::LogWatch& watch, std::uint64_t since_ns) {
  const auto view = watch.view();
  Json json = {{"patterns", Json::array()},
               {"kills", Json::array()},
               {"sources", Json::array()}};
  for (const logs::PatternRecord& record : view->patterns) {
    if (record.last_seen_ns < since_ns) continue;
    json["patterns"].push_back(PatternJson(record));
  }
  for (const logs::Kill& kill : view->last_kills) {
    if (kill.realtime_ns < since_ns) continue;
    json["kills"].push_back({{"process", kill.process},
                             {"pid", kill.pid},
                             {"time", UtcTimeText(kill.realtime_ns)},
                             {"source", kill.source},
                             {"text", kill.text}});
  }
  for (const logs::SourceState& state : watch.sources()) {
    json["sources"].push_back({{"source", state.name},
                               {"readable", state.readable},
                               {"problem", state.problem},
                               {"lines", state.lines},
                               {"lost", state.lost},
                               {"cut", state.cut}});
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace heapledger::collector
