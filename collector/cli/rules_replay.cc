// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/rules_replay.h"

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "collector/cli/heap.h"
#include "collector/cli/output.h"
#include "collector/cli/report_json.h"
#include "collector/cli/response_options.h"
#include "collector/cli/verb.h"
#include "collector/ledger/utc_time.h"
#include "collector/response/history.h"
#include "collector/response/units.h"

namespace heapledger::collector::cli {
namespace {

constexpr char kVerb[] = "rules test";

using response::Event;
using response::History;
using response::HistoryRow;
using response::Level;
using response::Quantity;
using response::Time;

// A fact of a snapshot file; none where it has no such number.
std::optional<std::uint64_t> Fact(const Heap& heap, const char* name) {
  const auto system = heap.facts.find("system");
  if (system == heap.facts.end() || !system->is_object()) return std::nullopt;
  const auto fact = system->find(name);
  if (fact == system->end() || !fact->is_number_unsigned()) {
    return std::nullopt;
  }
  return fact->get<std::uint64_t>();
}

// 0 where none is given.
absl::StatusOr<std::uint64_t> LimitOf(const RulesReplayArguments& arguments) {
  if (arguments.limit.empty()) return 0;
  const auto limit = response::ParseBytes(arguments.limit);
  if (limit && *limit != 0) return *limit;
  return absl::InvalidArgumentError(
      absl::StrCat("--limit ", arguments.limit, " is no size such as 256MiB"));
}

// One moment, as if it lasted.
absl::StatusOr<History> FromSnapshot(const RulesReplayArguments& arguments) {
  const auto heap = FindHeap(DiscoveryOptions(), arguments.replay);
  if (!heap.ok()) return heap.status();
  const auto asked = LimitOf(arguments);
  if (!asked.ok()) return asked.status();
  const auto limit = *asked != 0 ? *asked : Fact(*heap, "cgroup_limit_bytes");
  const auto group = Fact(*heap, "cgroup_used_bytes");
  const auto used = group ? group : Fact(*heap, "resident_bytes");
  if (!limit || !used) {
    return absl::InvalidArgumentError(absl::StrCat(
        arguments.replay, ": it does not say ",
        used ? "what limit the program had" : "how much memory it used",
        used ? "; give it with --limit" : "; take one of a running program"));
  }
  const auto hold = response::ParseSpan(arguments.hold);
  if (!hold) {
    return absl::InvalidArgumentError(
        absl::StrCat("--hold ", arguments.hold, " is no time such as 1h"));
  }
  HistoryRow row;
  row.reading.target.process = heap->snapshot->identity.Program();
  row.reading.target.key.pid = heap->snapshot->identity.pid;
  row.reading.target.exe = heap->snapshot->identity.exe;
  row.reading.target.under_shim = true;
  response::Reading& reading = row.reading.reading;
  reading.used_bytes = *used;
  reading.limit_bytes = *limit;
  reading.live_bytes = heap->snapshot->totals.live_bytes();
  reading[Quantity::kUsage] =
      static_cast<double>(*used) / static_cast<double>(*limit);
  reading[Quantity::kHeadroom] =
      *limit > *used ? static_cast<double>(*limit - *used) : 0;
  History history;
  history.rows = {row, row};
  history.rows.back().at = *hold;
  return history;
}

absl::StatusOr<History> ReadHistory(const RulesReplayArguments& arguments) {
  if (arguments.replay.ends_with(".hl")) return FromSnapshot(arguments);
  std::ifstream file(arguments.replay, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot read the history ", arguments.replay,
                     "; give CSV, JSON lines or a .hl file"));
  }
  const auto limit = LimitOf(arguments);
  if (!limit.ok()) return limit.status();
  return response::ParseHistory(text.str(), arguments.replay, *limit);
}

std::string TimeText(const History& history, Time at) {
  if (history.since_epoch) {
    return UtcTimeText(static_cast<std::uint64_t>(at.count()));
  }
  return response::SpanText(at);
}

nlohmann::ordered_json EventJson(const Event& event) {
  nlohmann::ordered_json json = {
      {"time", std::chrono::duration<double>(event.at).count()},
      {"event", std::string(EventWord(event.kind))},
      {"process", event.process},
      {"pid", event.pid},
      {"level", std::string(LevelWord(event.level))}};
  if (!event.action.empty()) json["action"] = event.action;
  json["text"] = event.text;
  return json;
}

}  // namespace

CLI::App* AddRulesTest(CLI::App& rules, RulesReplayArguments& arguments) {
  CLI::App* const app = rules.add_subcommand(
      "test", "Show what rules of response (collect --response) would do");
  app->add_option("FILE", arguments.rules, "The rules (YAML)")->required();
  app->add_option("--replay", arguments.replay,
                  "Readings of the past (CSV or JSON lines), or a snapshot "
                  "(.hl); without it the rules are only read")
      ->type_name("HISTORY");
  app->add_option("--limit", arguments.limit,
                  "The limit where the history or the snapshot has none")
      ->type_name("BYTES");
  app->add_option("--hold", arguments.hold,
                  "As if the program of a snapshot stayed so (default 1h)")
      ->type_name("DURATION");
  app->add_flag("--json", arguments.json, "As JSON");
  app->footer(
      "Example: heapledger rules test response.yml --replay yesterday.csv\n"
      "A history has a line of names in front: time, process, pid, used_bytes, "
      "limit_bytes,\nlive_bytes, stall, exhaustion_seconds, …; or it has these "
      "in a JSON object a line.");
  return app;
}

int RunRulesTest(const RulesReplayArguments& arguments) {
  const auto rules = ReadResponseRules(arguments.rules);
  if (!rules.ok()) return FailWith(kVerb, rules.status());
  if (arguments.replay.empty()) {
    std::printf("%zu rules are well formed\n", rules->rules.size());
    return kDone;
  }
  const auto history = ReadHistory(arguments);
  if (!history.ok()) return FailWith(kVerb, history.status());
  const std::vector<Event> events = Replay(*rules, *history);
  if (arguments.json) {
    nlohmann::ordered_json json = {{"rows", history->rows.size()},
                                   {"ignored_fields", history->ignored},
                                   {"events", nlohmann::ordered_json::array()}};
    for (const Event& event : events)
      json["events"].push_back(EventJson(event));
    std::fputs(JsonText(json).c_str(), stdout);
    return kDone;
  }
  for (const Event& event : events) {
    std::printf("%s  %s\n", TimeText(*history, event.at).c_str(),
                Printable(event.text).c_str());
  }
  if (!history->ignored.empty()) {
    std::fprintf(stderr, "heapledger: %s: fields that mean nothing here: %s\n",
                 kVerb,
                 Printable(absl::StrJoin(history->ignored, ", ")).c_str());
  }
  if (events.empty()) {
    std::fprintf(stderr,
                 "heapledger: %s: nothing would have been done in %zu "
                 "readings\n",
                 kVerb, history->rows.size());
  }
  return kDone;
}

}  // namespace heapledger::collector::cli
