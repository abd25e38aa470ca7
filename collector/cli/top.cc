// SPDX-License-Identifier: Apache-2.0
// heapledger top [PID|NAME]
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/cli/find_ledger.h"
#include "collector/cli/heap.h"
#include "collector/cli/heap_writer.h"
#include "collector/cli/output_file.h"
#include "collector/cli/report_json.h"
#include "collector/cli/report_view.h"
#include "collector/cli/symbols.h"
#include "collector/cli/terminal.h"
#include "collector/cli/top_table.h"
#include "collector/cli/verb.h"
#include "collector/profile/hl_marks.h"
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

// Writes what is looked at to a file; says what became of it.
std::string WriteSnapshot(std::shared_ptr<const LedgerSnapshot> snapshot,
                          Symbols& symbols) {
  Heap heap;
  heap.marks = ListMarks(*snapshot);
  heap.snapshot = std::move(snapshot);
  const auto bytes = EncodeHeap(heap, FileFormat(), WriteOptions(), &symbols);
  if (!bytes.ok()) return std::string(bytes.status().message());
  const auto path = WriteOutput(kDefaultOutput, NameFields::Of(*heap.snapshot),
                                *bytes, Overwrite::kRefuse);
  return path.ok() ? absl::StrCat("wrote ", *path)
                   : std::string(path.status().message());
}

// Takes looks and serves keys until the user leaves.
int RunLive(const Arguments& arguments, const DiscoveryOptions& options) {
  Symbols symbols({}, Progress::kHidden);
  FrameNames& names = symbols.For(Heap());
  auto terminal = Terminal::Open();
  if (!terminal.ok()) {
    return Fail("top", std::string(terminal.status().message()), kUsage);
  }
  using Clock = std::chrono::steady_clock;
  const auto interval = std::chrono::duration_cast<Clock::duration>(
      std::chrono::duration<double>(arguments.interval_seconds));
  HostLedgers ledgers(options);
  std::unordered_map<std::uint64_t, ProcessAccount> accounts;
  TopTable table;
  auto next_look = Clock::now();
  while (true) {
    if (Clock::now() >= next_look) {
      std::vector<std::shared_ptr<const ProcessView>> views;
      for (const auto& snapshot :
           ledgers.Take(UnmeasuredScan::kMarkersOnly).ledgers) {
        if (!Wanted(*snapshot, arguments.what)) continue;
        views.push_back(
            accounts.try_emplace(snapshot->lineage, EveryCallsite(), &names)
                .first->second.Update(snapshot));
      }
      table.Add(views);
      next_look = Clock::now() + interval;
    }
    (*terminal)->Show(table.Lines((*terminal)->size()));
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(
        std::max(next_look - Clock::now(), Clock::duration::zero()));
    const auto key = (*terminal)->ReadKey(wait);
    if (!key) continue;
    switch (table.Press(*key)) {
      case TopTable::Wish::kQuit:
        return kDone;
      case TopTable::Wish::kSnapshot:
        table.Say(WriteSnapshot(table.selected(), symbols));
        break;
      case TopTable::Wish::kNone:
        break;
    }
  }
}

int Run(const Arguments& arguments) {
  const DiscoveryOptions options = DiscoveryFor(arguments.directory);
  if (!arguments.once && !arguments.json) return RunLive(arguments, options);
  Symbols symbols;
  FrameNames& names = symbols.For(Heap());
  const std::vector<Report> reports = Reports(arguments, options, names);
  if (reports.empty() && !arguments.what.empty()) {
    const auto dead = FindLedger(options, arguments.what);
    return Fail("top", dead.ok() ? arguments.what +
                                       " does not run any more; read what it "
                                       "left with heapledger report " +
                                       arguments.what
                                 : std::string(dead.status().message()));
  }
  if (arguments.json) {
    PrintJson(reports, arguments.report, names);
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
                             ReportTable(report, arguments.report, names) +
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
  app->add_flag("--once", arguments->once, "Print once and leave");
  app->add_option("--interval", arguments->interval_seconds,
                  "Seconds from one look to the next (default 1)")
      ->check(CLI::Range(0.01, 3600.0).description(""))
      ->type_name("SECONDS");
  app->add_option("--limit", arguments->report.limit,
                  "Rows per program with --once, 0 for all (default 10)")
      ->type_name("N");
  app->add_flag("--json", arguments->json, "Once, as JSON");
  app->add_option("--dir", arguments->directory, "Look in this directory")
      ->type_name("DIR");
  app->footer(
      "Examples:\n  heapledger top\n  heapledger top --once redis-server\n"
      "Keys: l o a g t sort by live bytes, objects, allocated, growth, age; c "
      "f "
      "d show callsites,\nfunctions, modules; m marks this moment and shows "
      "what grew since; s writes a snapshot;\nspace pauses, Tab goes to the "
      "next program, q leaves. The program never notices.");
  return {app, [arguments] { return Run(*arguments); }};
}

}  // namespace heapledger::collector::cli
