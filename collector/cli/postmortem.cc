// SPDX-License-Identifier: Apache-2.0
// heapledger postmortem [PID|NAME|FILE]
#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "collector/cli/find_death.h"
#include "collector/cli/heap_writer.h"
#include "collector/cli/output_file.h"
#include "collector/cli/pager.h"
#include "collector/cli/postmortem_view.h"
#include "collector/cli/report_json.h"
#include "collector/cli/verb.h"
#include "collector/obituary/page.h"
#include "collector/obituary/verdict.h"

namespace heapledger::collector::cli {
namespace {

struct Arguments {
  std::string what;
  std::string directory;
  std::string obituaries;
  std::string output;
  std::string format;
  ReportOptions report;
  SymbolOptions symbols;
  bool json = false;
  bool force = false;
};

std::string StoreFor(const Arguments& arguments) {
  if (!arguments.obituaries.empty()) return arguments.obituaries;
  const char* const directory = secure_getenv("HEAPLEDGER_OBITUARIES");
  return directory == nullptr ? "" : directory;
}

// A format of its own: the page of a heap with the death above it.
std::string DeathPage(const Death& death, FrameNames& names) {
  constexpr std::size_t kNamed = 1;
  return obituary::PageSection(
      *death.heap.snapshot, death.obituary,
      obituary::TopOf(*ViewAll(death.heap.snapshot, names), kNamed));
}

int WriteFormat(const Death& death, const Arguments& arguments,
                Symbols& symbols, const CommandLine& line) {
  const auto format = FileFormatFor(arguments.output, arguments.format);
  if (!format.ok()) return FailWith("postmortem", format.status());
  WriteOptions options;
  options.value = options.sort = arguments.report.value;
  if (format->profile == ProfileFormat::kHtml) {
    options.page_section = DeathPage(death, symbols.For(death.heap));
  }
  const auto bytes = EncodeHeap(death.heap, *format, options, &symbols);
  if (!bytes.ok()) return FailWith("postmortem", bytes.status());
  if (arguments.output.empty()) {
    std::fwrite(bytes->data(), 1, bytes->size(), stdout);
    return kDone;
  }
  NameFields fields = NameFields::Of(*death.heap.snapshot);
  fields.realtime_ns = death.obituary.died_realtime_ns;
  const auto path =
      WriteOutput(arguments.output, fields, *bytes,
                  arguments.force ? Overwrite::kForce : Overwrite::kRefuse);
  if (!path.ok()) return FailWith("postmortem", path.status());
  if (!line.quiet) {
    std::fprintf(stderr, "heapledger: postmortem: written to %s\n",
                 path->c_str());
  }
  return kDone;
}

int Run(Arguments& arguments, const CommandLine& line) {
  if (arguments.json &&
      !(arguments.format.empty() && arguments.output.empty())) {
    return Fail("postmortem",
                "--json goes to stdout and takes neither --format nor -o; "
                "leave one of them out",
                kUsage);
  }
  arguments.report.stacks = line.verbosity > 0;
  Symbols symbols(arguments.symbols);
  const auto death = FindDeath(DiscoveryFor(arguments.directory),
                               StoreFor(arguments), arguments.what, symbols);
  if (!death.ok()) return FailWith("postmortem", death.status());
  if (!arguments.format.empty() || !arguments.output.empty()) {
    return WriteFormat(*death, arguments, symbols, line);
  }
  FrameNames& names = symbols.For(death->heap);
  const Report report = DeathReport(*death, arguments.report, names);
  if (arguments.json) {
    const std::string text =
        JsonText(PostmortemJson(*death, report, arguments.report, names));
    std::fwrite(text.data(), 1, text.size(), stdout);
  } else {
    Page(PostmortemText(*death, report, arguments.report, names, line.quiet));
  }
  return kDone;
}

}  // namespace

Verb AddPostmortem(CLI::App& parent, const CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* const app = parent.add_subcommand(
      "postmortem", "Why a program died and what held its memory");
  app->add_option("PID|NAME|FILE", arguments->what,
                  "A pid, a program's name, an obituary (.hl) or a .ledger "
                  "file; without one, the newest death");
  app->add_option("--obituaries", arguments->obituaries,
                  "Where collect --obituaries keeps them (default "
                  "$HEAPLEDGER_OBITUARIES)")
      ->type_name("DIR");
  app->add_option("--limit", arguments->report.limit,
                  "Callsites to show, 0 for all (default 20)")
      ->type_name("N");
  app->add_flag("--json", arguments->json, "All that is known, as JSON");
  app->add_option("--format", arguments->format,
                  std::string("The heap at its end on stdout, or with -o in a "
                              "file, as ") +
                      kFormatHelp)
      ->type_name("FORMAT");
  app->add_option("-o,--output", arguments->output,
                  "Write this file, in the format of its extension: %p pid, "
                  "%e program, %t time of death, %n first free number")
      ->type_name("FILE");
  app->add_flag("--force", arguments->force, "Overwrite the file");
  AddSymbolOptions(*app, arguments->symbols);
  app->add_option("--dir", arguments->directory, "Look in this directory")
      ->type_name("DIR");
  app->footer(
      "Examples:\n  heapledger collect --obituaries /var/lib/heapledger\n"
      "  heapledger postmortem --obituaries /var/lib/heapledger\n"
      "  heapledger postmortem 4242 -o why.html\n"
      "Without a collector at the time it reads what the dead process' ledger "
      "and the kernel's log tell.\nAn obituary is a snapshot as well: report, "
      "diff and leaks read it, on any machine.");
  return {app, [arguments, &line] { return Run(*arguments, line); }};
}

}  // namespace heapledger::collector::cli
