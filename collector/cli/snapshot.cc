// SPDX-License-Identifier: Apache-2.0
// heapledger snapshot PID|NAME [-o FILE]
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "collector/cli/heap_writer.h"
#include "collector/cli/mode_words.h"
#include "collector/cli/output.h"
#include "collector/cli/output_file.h"
#include "collector/cli/tag_options.h"
#include "collector/cli/verb.h"

namespace heapledger::collector::cli {
namespace {

struct Arguments {
  std::string what;
  std::string output = kDefaultOutput;
  std::string format;
  std::string directory;
  SymbolOptions symbols;
  std::string tags;
  bool no_symbols = false;
  bool force = false;
};

std::string NextCommand(const std::string& path, FileFormat format) {
  if (format.is_hl()) return absl::StrCat("heapledger report ", path);
  switch (*format.profile) {
    case ProfileFormat::kPprof:
      return absl::StrCat("go tool pprof -http=: ", path);
    case ProfileFormat::kFolded:
      return absl::StrCat("flamegraph.pl ", path, " > heap.svg");
    case ProfileFormat::kSpeedscope:
      return absl::StrCat("speedscope ", path);
    case ProfileFormat::kSvg:
    case ProfileFormat::kHtml:
      return absl::StrCat("xdg-open ", path);
    case ProfileFormat::kJson:
    case ProfileFormat::kText:
      break;
  }
  return absl::StrCat("less ", path);
}

void Announce(const LedgerSnapshot& snapshot, const std::string& path,
              std::size_t file_bytes, FileFormat format) {
  const std::string about = AboutSign(snapshot);
  const std::string text = absl::StrCat(
      Printable(snapshot.identity.Program()), " (pid ", snapshot.identity.pid,
      "): live ", about, HumanBytes(snapshot.totals.live_bytes()), " in ",
      about, HumanCount(snapshot.totals.live_objects()), " objects, ",
      HumanCount(snapshot.counters.size()), " callsites, written to ", path,
      " (", HumanBytes(file_bytes), "); next: ", NextCommand(path, format));
  std::fprintf(stderr, "heapledger: snapshot: %s\n", text.c_str());
}

int Run(const Arguments& arguments, const CommandLine& line) {
  const auto format = FileFormatFor(arguments.output, arguments.format);
  if (!format.ok()) return FailWith("snapshot", format.status());
  if (arguments.no_symbols && !format->is_hl()) {
    return Fail("snapshot",
                "--no-symbols is for .hl files, whose names can be found "
                "later; leave it out or write a .hl file",
                kUsage);
  }
  const auto tags = ReadTagConfig(arguments.tags);
  if (!tags.ok()) return FailWith("snapshot", tags.status());
  auto heap = FindHeap(DiscoveryFor(arguments.directory), arguments.what);
  if (!heap.ok()) return FailWith("snapshot", heap.status());
  Symbols symbols(arguments.symbols);
  TagHeap(tags->rules, symbols, *heap);
  const auto bytes = EncodeHeap(*heap, *format, WriteOptions(),
                                arguments.no_symbols ? nullptr : &symbols);
  if (!bytes.ok()) return FailWith("snapshot", bytes.status());
  const auto path =
      WriteOutput(arguments.output, NameFields::Of(*heap->snapshot), *bytes,
                  arguments.force ? Overwrite::kForce : Overwrite::kRefuse);
  if (!path.ok()) return FailWith("snapshot", path.status());
  if (!line.quiet) Announce(*heap->snapshot, *path, bytes->size(), *format);
  return kDone;
}

}  // namespace

Verb AddSnapshot(CLI::App& parent, const CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* const app = parent.add_subcommand(
      "snapshot", "Write a program's heap to a file, from outside");
  app->add_option("PID|NAME|FILE", arguments->what,
                  "A pid, a program's name, PID@MARK, a .ledger or .hl file")
      ->required();
  app->add_option("-o,--output", arguments->output,
                  "Where to (default heapledger-%e-%p-%t.hl): %p pid, %e "
                  "program, %t time, %n first free number")
      ->type_name("FILE");
  app->add_option("--format", arguments->format,
                  std::string("Instead of by the extension: ") + kFormatHelp)
      ->type_name("FORMAT");
  app->add_flag("--no-symbols", arguments->no_symbols,
                "Leave the names out; report finds them where the program's "
                "files are");
  app->add_flag("--force", arguments->force, "Overwrite the file");
  AddTagsOption(*app, arguments->tags);
  AddSymbolOptions(*app, arguments->symbols);
  app->add_option("--dir", arguments->directory, "Look in this directory")
      ->type_name("DIR");
  app->footer(
      "Examples:\n  heapledger snapshot 4242\n"
      "  heapledger snapshot redis-server -o redis-%n.html\n"
      "  heapledger snapshot 4242 -o heap.pb.gz && go tool pprof heap.pb.gz\n"
      "The program is not stopped and runs nothing for it. A file holds "
      "stacks and counts, never\ncontents of the heap, arguments or "
      "environment.");
  return {app, [arguments, &line] { return Run(*arguments, line); }};
}

}  // namespace heapledger::collector::cli
