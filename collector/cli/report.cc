// SPDX-License-Identifier: Apache-2.0
// heapledger report PID|NAME|FILE
#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <memory>
#include <string>

#include "collector/cli/find_ledger.h"
#include "collector/cli/report_json.h"
#include "collector/cli/report_view.h"
#include "collector/cli/verb.h"
#include "collector/profile/resolver.h"

namespace heapledger::collector::cli {
namespace {

enum class Format { kText, kJson, kFolded };

const std::map<std::string, Value> kValues = {
    {"live-bytes", Value::kLiveBytes},
    {"live-objects", Value::kLiveObjects},
    {"allocated-bytes", Value::kAllocatedBytes},
    {"allocations", Value::kAllocations}};
const std::map<std::string, GroupBy> kGroups = {
    {"callsite", GroupBy::kCallsite},
    {"function", GroupBy::kFunction},
    {"module", GroupBy::kModule}};
const std::map<std::string, Format> kFormats = {{"txt", Format::kText},
                                                {"json", Format::kJson},
                                                {"folded", Format::kFolded}};

struct Arguments {
  std::string what;
  std::string directory;
  ReportOptions report;
  Format format = Format::kText;
  bool json = false;
  bool sort_given = false;
};

void PrintText(const Report& report, const ReportOptions& options, bool quiet,
               FrameNames& names) {
  std::string text = ReportTable(report, options, names);
  if (!quiet) text = ReportHeader(report) + (text.empty() ? "" : "\n") + text;
  std::fputs(text.c_str(), stdout);
}

int Run(Arguments& arguments, const CommandLine& line) {
  const DiscoveryOptions options = DiscoveryFor(arguments.directory);
  const auto snapshot = FindLedger(options, arguments.what);
  if (!snapshot.ok()) {
    return Fail("report", std::string(snapshot.status().message()));
  }
  if (!arguments.sort_given) arguments.report.sort = arguments.report.value;
  arguments.report.stacks = line.verbosity > 0;
  const std::unique_ptr<FrameNames> names = MakeResolver();
  if (arguments.format == Format::kFolded) {
    std::fputs(FoldedStacks(**snapshot, arguments.report.value, *names).c_str(),
               stdout);
    return kDone;
  }
  Report report = MakeReport(*ViewAll(*snapshot, *names), arguments.report);
  report.unmeasured = UnmeasuredChildren(options, **snapshot);
  if (arguments.json || arguments.format == Format::kJson) {
    std::fputs(JsonText(ReportJson(report, arguments.report, *names)).c_str(),
               stdout);
  } else {
    PrintText(report, arguments.report, line.quiet, *names);
  }
  return kDone;
}

}  // namespace

Verb AddReport(CLI::App& parent, const CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* const app = parent.add_subcommand(
      "report", "A live or dead program's heap, by callsite");
  app->add_option("PID|NAME|FILE", arguments->what,
                  "A pid, a program's name or a .ledger file")
      ->required();
  app->add_option("--value", arguments->report.value,
                  "live-bytes, live-objects, allocated-bytes or allocations")
      ->transform(CLI::CheckedTransformer(kValues).description(""))
      ->type_name("VALUE");
  app->add_option("--by", arguments->report.by, "callsite, function or module")
      ->transform(CLI::CheckedTransformer(kGroups).description(""))
      ->type_name("GROUP");
  CLI::Option* const sort =
      app->add_option("--sort", arguments->report.sort,
                      "Order by this value (default: --value)")
          ->transform(CLI::CheckedTransformer(kValues).description(""))
          ->type_name("VALUE");
  app->add_option("--limit", arguments->report.limit,
                  "Rows to show, 0 for all (default 20)")
      ->type_name("N");
  app->add_option("--format", arguments->format, "txt, json or folded")
      ->transform(CLI::CheckedTransformer(kFormats).description(""))
      ->type_name("FORMAT");
  app->add_flag("--json", arguments->json, "The same as --format json");
  app->add_option("--dir", arguments->directory, "Look in this directory")
      ->type_name("DIR");
  app->footer(
      "Examples:\n  heapledger report 4242 --by function\n"
      "  heapledger report 4242 --format folded > heap.folded\n"
      "With -v the stack of each callsite is shown. Figures with a ~ are "
      "estimates.");
  return {app, [arguments, sort, &line] {
            arguments->sort_given = sort->count() > 0;
            return Run(*arguments, line);
          }};
}

}  // namespace heapledger::collector::cli
