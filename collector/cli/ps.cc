// SPDX-License-Identifier: Apache-2.0
// heapledger ps
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <unordered_map>

#include "collector/cli/mode_words.h"
#include "collector/cli/output.h"
#include "collector/cli/report_json.h"
#include "collector/cli/verb.h"
#include "collector/shm/host_ledgers.h"

namespace heapledger::collector::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  std::string directory;
  // Long enough for a rate, short enough not to be felt.
  double interval_seconds = 0.2;
  bool all = false;
  bool json = false;
};

// Ended programs that a person is shown without --all.
constexpr std::size_t kEndedShown = 10;

struct Row {
  std::shared_ptr<const LedgerSnapshot> snapshot;
  std::optional<double> growth;
};

bool Runs(const LedgerSnapshot& snapshot) {
  return snapshot.state == ProcessState::kLive ||
         snapshot.state == ProcessState::kStarting;
}

std::uint64_t AgeNs(const LedgerSnapshot& snapshot) {
  const std::uint64_t created = snapshot.identity.created_realtime_ns;
  return snapshot.taken_realtime_ns > created
             ? snapshot.taken_realtime_ns - created
             : 0;
}

// Running ones first, the largest on top; then the dead, the latest on top.
std::vector<Row> Rows(const HostSnapshot& before, const HostSnapshot& after) {
  std::unordered_map<std::uint64_t, const LedgerSnapshot*> earlier;
  for (const auto& snapshot : before.ledgers) {
    earlier[snapshot->lineage] = snapshot.get();
  }
  std::vector<Row> rows;
  for (const auto& snapshot : after.ledgers) {
    Row row{snapshot, std::nullopt};
    const auto found = earlier.find(snapshot->lineage);
    if (found != earlier.end() && Runs(*snapshot) &&
        snapshot->taken_monotonic_ns > found->second->taken_monotonic_ns) {
      row.growth = (static_cast<double>(snapshot->totals.live_bytes()) -
                    static_cast<double>(found->second->totals.live_bytes())) *
                   1e9 /
                   static_cast<double>(snapshot->taken_monotonic_ns -
                                       found->second->taken_monotonic_ns);
    }
    rows.push_back(std::move(row));
  }
  const auto rank = [](const Row& row) {
    const LedgerSnapshot& s = *row.snapshot;
    return std::tuple(
        Runs(s),
        Runs(s) ? s.totals.live_bytes() : s.identity.created_realtime_ns,
        s.identity.pid);
  };
  std::ranges::sort(rows, std::greater(), rank);
  return rows;
}

Json RowJson(const Row& row) {
  const LedgerSnapshot& snapshot = *row.snapshot;
  Json json;
  json["pid"] = snapshot.identity.pid;
  json["program"] = snapshot.identity.Program();
  json["state"] = std::string(StateWord(snapshot.state));
  json["image"] = snapshot.identity.image;
  json["age_seconds"] = static_cast<double>(AgeNs(snapshot)) / 1e9;
  json["live_bytes"] = snapshot.totals.live_bytes();
  json["live_objects"] = snapshot.totals.live_objects();
  json["peak_live_bytes"] = snapshot.peak_live_bytes;
  if (row.growth) json["growth_bytes_per_second"] = *row.growth;
  json["callsites"] = snapshot.callsites().size();
  json.update(ModeJson(snapshot));
  json["degraded"] = snapshot.degraded_at_all();
  json["ledger"] = snapshot.path;
  return json;
}

void PrintJson(const std::vector<Row>& rows, const HostSnapshot& host) {
  Json json;
  json["ledgers"] = Json::array();
  for (const Row& row : rows) json["ledgers"].push_back(RowJson(row));
  json["unmeasured"] = UnmeasuredJson(host.unmeasured);
  json["problems"] = host.problems;
  std::fputs(JsonText(json).c_str(), stdout);
}

// Drops replaced images and all but the latest of the ended ones. Returns how
// many.
std::size_t DropOld(std::vector<Row>& rows) {
  std::size_t ended = 0;
  return std::erase_if(rows, [&ended](const Row& row) {
    if (Runs(*row.snapshot)) return false;
    return row.snapshot->state == ProcessState::kReplaced ||
           ++ended > kEndedShown;
  });
}

void PrintTable(const std::vector<Row>& rows, const HostSnapshot& host) {
  using Align = Table::Align;
  Table table({{"PID", Align::kRight},
               {"STATE"},
               {"AGE", Align::kRight},
               {"LIVE", Align::kRight},
               {"OBJECTS", Align::kRight},
               {"GROWTH", Align::kRight},
               {"CALLSITES", Align::kRight},
               {"MODE"},
               {"PROGRAM"}});
  for (const Row& row : rows) {
    const LedgerSnapshot& s = *row.snapshot;
    const std::string about = AboutSign(s);
    const auto figure = [&s](const std::string& text) {
      return s.never_armed() ? "-" : text;
    };
    table.AddRow(
        {std::to_string(s.identity.pid), std::string(StateWord(s.state)),
         HumanAge(AgeNs(s)), figure(about + HumanBytes(s.totals.live_bytes())),
         figure(about + HumanCount(s.totals.live_objects())),
         figure(row.growth ? about + HumanRate(*row.growth) : "-"),
         figure(HumanCount(s.callsites().size())),
         std::string(ModeWord(s.mode)), Printable(s.identity.Program())});
  }
  for (const UnmeasuredProcess& process : host.unmeasured) {
    if (!process.alive) continue;
    const std::string why = process.off_reason
                                ? OffReasonText(*process.off_reason)
                                : "preloaded, no ledger yet";
    table.AddRow({std::to_string(process.pid), "unmeasured", "-", "-", "-", "-",
                  "-", "-", Printable(process.program) + " (" + why + ")"});
  }
  std::fputs(table.ToString().c_str(), stdout);
}

int Run(const Arguments& arguments, const CommandLine& line) {
  HostLedgers ledgers(DiscoveryFor(arguments.directory));
  HostSnapshot before;
  HostSnapshot host = ledgers.Take();
  const bool any_runs = std::ranges::any_of(
      host.ledgers, [](const auto& snapshot) { return Runs(*snapshot); });
  if (any_runs && arguments.interval_seconds > 0) {
    before = std::move(host);
    std::this_thread::sleep_for(
        std::chrono::duration<double>(arguments.interval_seconds));
    host = ledgers.Take();
  }
  std::vector<Row> rows = Rows(before, host);
  if (arguments.json) {
    PrintJson(rows, host);
  } else {
    const std::size_t dropped = arguments.all ? 0 : DropOld(rows);
    PrintTable(rows, host);
    if (dropped > 0 && !line.quiet) {
      std::fprintf(stderr,
                   "heapledger: ps: %zu older ledgers of ended programs are "
                   "not shown; see them with --all\n",
                   dropped);
    }
    if (rows.empty() && !line.quiet) {
      std::fputs(
          "heapledger: ps: no ledgers; start a program with heapledger "
          "run -- CMD\n",
          stderr);
    }
  }
  if (!line.quiet) {
    for (const std::string& problem : host.problems) Fail("ps", problem);
  }
  return kDone;
}

}  // namespace

Verb AddPs(CLI::App& parent, const CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* const app =
      parent.add_subcommand("ps", "Measured programs of this host");
  app->add_option("--interval", arguments->interval_seconds,
                  "Seconds over which growth is taken, 0 for none")
      ->check(CLI::Range(0.0, 3600.0).description(""))
      ->type_name("SECONDS");
  app->add_flag("--all", arguments->all,
                "Every ended program and replaced image too");
  app->add_flag("--json", arguments->json, "As JSON, always all");
  app->add_option("--dir", arguments->directory, "Look in this directory")
      ->type_name("DIR");
  app->footer(
      "Example: heapledger ps --json\n"
      "Figures with a ~ are estimates; a dormant program has none until "
      "heapledger arm.");
  return {app, [arguments, &line] { return Run(*arguments, line); }};
}

}  // namespace heapledger::collector::cli
