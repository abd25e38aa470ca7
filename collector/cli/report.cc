// SPDX-License-Identifier: Apache-2.0
// heapledger report PID|NAME|FILE
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "collector/cli/find_ledger.h"
#include "collector/cli/heap_writer.h"
#include "collector/cli/memory_look.h"
#include "collector/cli/memory_view.h"
#include "collector/cli/merged_report.h"
#include "collector/cli/mode_words.h"
#include "collector/cli/pager.h"
#include "collector/cli/report_json.h"
#include "collector/cli/report_view.h"
#include "collector/cli/tag_options.h"
#include "collector/cli/value_option.h"
#include "collector/cli/verb.h"
#include "collector/ledger/utc_time.h"

namespace heapledger::collector::cli {
namespace {

struct Arguments {
  std::string what;
  std::string directory;
  ReportOptions report;
  SymbolOptions symbols;
  std::string tags;
  std::string by = "callsite";
  std::string format;
  bool tree = false;
  bool children = false;
  bool json = false;
  bool sort_given = false;
  bool limit_given = false;
};

absl::StatusOr<ProfileGroup> GroupOf(const std::string& by) {
  if (by == "callsite") return ProfileGroup::kCallsite;
  if (by == "function") return ProfileGroup::kFunction;
  if (by == "module") return ProfileGroup::kModule;
  if (by == "tag") return ProfileGroup::kTag;
  const char* why = nullptr;
  if (by == "thread") {
    why =
        "its shards of counters belong to threads for a time and do not say "
        "which";
  } else if (by == "size") {
    why =
        "it keeps sums of bytes and objects per callsite, not the sizes of "
        "single blocks";
  }
  if (why == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", by, "' is no group; use callsite, function, module or tag"));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("the ledger cannot tell figures by ", by, ": ", why,
                   "; use callsite, function, module or tag"));
}

void Out(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

int WriteFormat(const Heap& heap, const Arguments& arguments,
                Symbols& symbols) {
  const auto format =
      ParseFileFormat(arguments.tree ? "txt" : arguments.format);
  if (!format.ok()) return FailWith("report", format.status());
  WriteOptions options;
  options.value = arguments.report.value;
  options.sort = arguments.report.sort;
  options.limit = arguments.limit_given ? arguments.report.limit : 0;
  const auto bytes = EncodeHeap(heap, *format, options, &symbols);
  if (!bytes.ok()) return FailWith("report", bytes.status());
  if (format->profile == ProfileFormat::kText) {
    Page(*bytes);
  } else {
    Out(*bytes);
  }
  return kDone;
}

std::string Text(const Report& report, const Heap& heap,
                 const ReportOptions& options, Symbols& symbols,
                 const CommandLine& line) {
  std::string text = ReportTable(report, options, symbols.For(heap));
  if (line.quiet) return text;
  std::string header = ReportHeader(report);
  if (heap.is_file()) {
    absl::StrAppend(&header, "snapshot of ",
                    UtcTimeText(heap.snapshot->taken_realtime_ns), "\n");
  }
  if (line.verbosity > 0) header += symbols.ShareLines(heap);
  return header + (text.empty() ? "" : "\n") + text;
}

// Of one that ended its ledger is all there is.
MemoryFacts FactsOf(const LedgerSnapshot& snapshot,
                    const DiscoveryOptions& options) {
  MemoryFacts facts;
  if (snapshot.state == ProcessState::kLive ||
      snapshot.state == ProcessState::kStarting) {
    auto look = LookAtMemory(snapshot, options);
    if (look.ok()) {
      facts.look = *std::move(look);
    } else {
      facts.why_not = std::string(look.status().message());
    }
  } else if (snapshot.state != ProcessState::kOff) {
    facts.ended = true;
    facts.why_not = "pages are seen only while a program runs";
  }
  return facts;
}

int RunMerged(const Arguments& arguments, const DiscoveryOptions& options) {
  if (arguments.tree || !arguments.format.empty()) {
    return Fail("report",
                "--children makes one table of several heaps; leave out --tree "
                "and --format, or take one process",
                kUsage);
  }
  const auto family = FindFamily(options, arguments.what);
  if (!family.ok()) return FailWith("report", family.status());
  Symbols symbols(arguments.symbols);
  Heap first;
  first.snapshot = family->front();
  const MergedReport merged =
      MergeReports(*family, arguments.report, symbols.For(first));
  if (arguments.json) {
    Out(JsonText(MergedJson(merged, arguments.report)));
  } else {
    Page(MergedText(merged, arguments.report));
  }
  return kDone;
}

int Run(Arguments& arguments, const CommandLine& line) {
  const auto group = GroupOf(arguments.by);
  if (!group.ok()) return FailWith("report", group.status());
  arguments.report.by = *group;
  if (!arguments.sort_given) arguments.report.sort = arguments.report.value;
  arguments.report.stacks = line.verbosity > 0;
  const auto tags = ReadTagConfig(arguments.tags);
  if (!tags.ok()) return FailWith("report", tags.status());
  const DiscoveryOptions options = DiscoveryFor(arguments.directory);
  if (arguments.children) return RunMerged(arguments, options);
  auto heap = FindHeap(options, arguments.what);
  if (!heap.ok()) return FailWith("report", heap.status());
  Symbols symbols(arguments.symbols);
  TagHeap(tags->rules, symbols, *heap);
  if (arguments.tree || !arguments.format.empty()) {
    return WriteFormat(*heap, arguments, symbols);
  }
  FrameNames& names = symbols.For(*heap);
  Report report = MakeReport(*ViewAll(heap->snapshot, names), arguments.report);
  if (!heap->is_file()) {
    report.unmeasured = UnmeasuredChildren(options, *heap->snapshot);
    report.memory = FactsOf(*heap->snapshot, options);
  }
  if (arguments.json) {
    StreamReportJson(report, arguments.report, names, 0, Out);
    Out("\n");
  } else {
    Page(Text(report, *heap, arguments.report, symbols, line));
  }
  return kDone;
}

}  // namespace

Verb AddReport(CLI::App& parent, const CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* const app = parent.add_subcommand(
      "report", "A live or dead program's heap, by callsite");
  app->add_option("PID|NAME|FILE", arguments->what,
                  "A pid, a program's name, PID@MARK, a .ledger or .hl file")
      ->required();
  AddValueOption(*app, "--value", arguments->report.value);
  app->add_option("--by", arguments->by, "callsite, function, module or tag")
      ->type_name("GROUP");
  CLI::Option* const sort =
      AddValueOption(*app, "--sort", arguments->report.sort,
                     "Order by this value (default: --value)");
  CLI::Option* const limit =
      app->add_option("--limit", arguments->report.limit,
                      "Rows to show, 0 for all (default 20)")
          ->type_name("N");
  app->add_flag("--tree", arguments->tree,
                "Who calls whom, from the outermost function");
  app->add_option("--format", arguments->format,
                  std::string("The whole heap on stdout as ") + kFormatHelp)
      ->type_name("FORMAT");
  app->add_flag("--children", arguments->children,
                "With the processes forked from a PID, or all of a NAME, as "
                "one: callsites merged, and each process' share");
  app->add_flag("--json", arguments->json, "The table as JSON, with stacks");
  AddTagsOption(*app, arguments->tags);
  AddSymbolOptions(*app, arguments->symbols);
  app->add_option("--dir", arguments->directory, "Look in this directory")
      ->type_name("DIR");
  app->footer(
      "Examples:\n  heapledger report 4242 --by function\n"
      "  heapledger report 4242 --format folded > heap.folded\n"
      "  heapledger report heap.hl --tree\n"
      "  heapledger report gunicorn --children\n"
      "With -v the stack of each callsite is shown. Figures with a ~ are "
      "estimates.");
  return {app, [arguments, sort, limit, &line] {
            arguments->sort_given = sort->count() > 0;
            arguments->limit_given = limit->count() > 0;
            return Run(*arguments, line);
          }};
}

}  // namespace heapledger::collector::cli
