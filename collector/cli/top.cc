// SPDX-License-Identifier: Apache-2.0
// heapledger top --once [PID|NAME]
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>

#include "collector/cli/find_ledger.h"
#include "collector/cli/report_json.h"
#include "collector/cli/report_view.h"
#include "collector/cli/verb.h"
#include "collector/profile/resolver.h"
#include "collector/shm/host_ledgers.h"

namespace heapledger::collector::cli {
namespace {

struct Arguments {
  std::string what;
  std::string directory;
  ReportOptions report;
  double interval_seconds = 1;
  bool once = false;
  bool json = false;
};

bool Wanted(const LedgerSnapshot& snapshot, const std::string& what) {
  const bool runs = snapshot.state == ProcessState::kLive ||
                    snapshot.state == ProcessState::kStarting;
  return runs && (what.empty() || Matches(snapshot, what));
}

// Two looks at each process, apart by the interval.
std::vector<Report> Reports(const Arguments& arguments,
                            const DiscoveryOptions& options,
                            FrameNames& names) {
  HostLedgers ledgers(options);
  std::unordered_map<std::uint64_t, std::shared_ptr<const ProcessView>> before;
  for (const auto& snapshot :
       ledgers.Take(UnmeasuredScan::kMarkersOnly).ledgers) {
    if (!Wanted(*snapshot, arguments.what)) continue;
    before[snapshot->lineage] = ViewAll(snapshot, names);
  }
  std::vector<Report> reports;
  if (before.empty()) return reports;
  std::this_thread::sleep_for(
      std::chrono::duration<double>(arguments.interval_seconds));
  for (const auto& snapshot :
       ledgers.Take(UnmeasuredScan::kMarkersOnly).ledgers) {
    const auto earlier = before.find(snapshot->lineage);
    if (earlier == before.end()) continue;
    reports.push_back(MakeReport(*ViewAll(snapshot, names), arguments.report,
                                 earlier->second.get()));
  }
  return reports;
}

void PrintJson(const std::vector<Report>& reports, const ReportOptions& options,
               FrameNames& names) {
  const auto out = [](std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
  };
  out("{\n  \"processes\": [");
  for (const Report& report : reports) {
    out(&report == &reports.front() ? "\n    " : ",\n    ");
    StreamReportJson(report, options, names, 4, out);
  }
  out(reports.empty() ? "]\n}\n" : "\n  ]\n}\n");
}

int Run(const Arguments& arguments) {
  const DiscoveryOptions options = DiscoveryFor(arguments.directory);
  const std::unique_ptr<FrameNames> names = MakeResolver();
  const std::vector<Report> reports = Reports(arguments, options, *names);
  if (reports.empty() && !arguments.what.empty()) {
    const auto dead = FindLedger(options, arguments.what);
    return Fail("top", dead.ok() ? arguments.what +
                                       " does not run any more; read what it "
                                       "left with heapledger report " +
                                       arguments.what
                                 : std::string(dead.status().message()));
  }
  if (arguments.json) {
    PrintJson(reports, arguments.report, *names);
    return kDone;
  }
  if (reports.empty()) {
    return Fail("top",
                "no measured program runs; start one with heapledger run -- "
                "CMD",
                kDone);
  }
  for (const Report& report : reports) {
    const std::string text = ReportHeader(report) + "\n" +
                             ReportTable(report, arguments.report, *names) +
                             (&report == &reports.back() ? "" : "\n");
    std::fputs(text.c_str(), stdout);
  }
  return kDone;
}

}  // namespace

Verb AddTop(CLI::App& parent, const CommandLine&) {
  auto arguments = std::make_shared<Arguments>();
  arguments->report.limit = 10;
  CLI::App* const app = parent.add_subcommand(
      "top", "Top callsites of running programs, with growth");
  app->add_option("PID|NAME", arguments->what,
                  "One program (default: all that run)");
  app->add_flag("--once", arguments->once, "Print once and leave")->required();
  app->add_option("--interval", arguments->interval_seconds,
                  "Seconds over which growth is taken (default 1)")
      ->check(CLI::Range(0.01, 3600.0).description(""))
      ->type_name("SECONDS");
  app->add_option("--limit", arguments->report.limit,
                  "Rows per program, 0 for all (default 10)")
      ->type_name("N");
  app->add_flag("--json", arguments->json, "As JSON");
  app->add_option("--dir", arguments->directory, "Look in this directory")
      ->type_name("DIR");
  app->footer("Example: heapledger top --once redis-server");
  return {app, [arguments] { return Run(*arguments); }};
}

}  // namespace heapledger::collector::cli
