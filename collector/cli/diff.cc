// SPDX-License-Identifier: Apache-2.0
// heapledger diff A B [C…]
#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/cli/diff_view.h"
#include "collector/cli/find_ledger.h"
#include "collector/cli/heap_writer.h"
#include "collector/cli/output_file.h"
#include "collector/cli/pager.h"
#include "collector/cli/report_json.h"
#include "collector/cli/value_option.h"
#include "collector/cli/verb.h"

namespace heapledger::collector::cli {
namespace {

const std::map<std::string, ProfileGroup> kGroups = {
    {"callsite", ProfileGroup::kCallsite},
    {"function", ProfileGroup::kFunction},
    {"module", ProfileGroup::kModule},
    {"tag", ProfileGroup::kTag}};

struct Arguments {
  std::vector<std::string> what;
  std::string pid;
  DiffOptions diff;
  SymbolOptions symbols;
  std::string format;
  std::string output;
  std::string directory;
  bool json = false;
  bool force = false;
};

// The heap that a word names; with --pid also a plain mark, or "now".
absl::StatusOr<Heap> HeapOf(const DiscoveryOptions& options,
                            const std::shared_ptr<const LedgerSnapshot>& of,
                            const std::string& word) {
  if (of == nullptr) return FindHeap(options, word);
  if (word == "now") {
    Heap heap;
    heap.snapshot = of;
    return heap;
  }
  auto mark = FindMark(of, word);
  if (mark.ok()) return mark;
  // Files may stand among the marks.
  if (auto heap = FindHeap(options, word); heap.ok()) return heap;
  return mark.status();
}

absl::StatusOr<std::vector<Profile>> Profiles(const Arguments& arguments) {
  const DiscoveryOptions options = DiscoveryFor(arguments.directory);
  std::shared_ptr<const LedgerSnapshot> of;
  if (!arguments.pid.empty()) {
    auto ledger = FindLedger(options, arguments.pid);
    if (!ledger.ok()) return ledger.status();
    of = *std::move(ledger);
  }
  Symbols symbols(arguments.symbols);
  std::vector<Profile> profiles;
  for (const std::string& word : arguments.what) {
    const auto heap = HeapOf(options, of, word);
    if (!heap.ok()) return heap.status();
    profiles.push_back(ProfileOf(*heap, symbols));
  }
  return profiles;
}

int Write(const std::vector<Profile>& profiles, const Arguments& arguments,
          bool quiet) {
  const auto format = FileFormatFor(arguments.output, arguments.format);
  if (!format.ok()) return FailWith("diff", format.status());
  if (format->is_hl()) {
    return Fail("diff",
                "a .hl file holds one heap, not a difference; write it as "
                "pb.gz, html or json",
                kUsage);
  }
  const Profile difference = Difference(
      profiles, arguments.diff.grew_in_all ? Keep::kGrewInAll : Keep::kAll);
  WriteOptions options;
  options.value = options.sort = arguments.diff.value;
  const auto bytes = WriteProfile(difference, *format->profile, options);
  if (!bytes.ok()) return FailWith("diff", bytes.status());
  if (arguments.output.empty()) {
    std::fwrite(bytes->data(), 1, bytes->size(), stdout);
    return kDone;
  }
  const ProfileFacts& facts = difference.facts;
  const auto path = WriteOutput(
      arguments.output, {facts.program, facts.pid, facts.taken_realtime_ns},
      *bytes, arguments.force ? Overwrite::kForce : Overwrite::kRefuse);
  if (!path.ok()) return FailWith("diff", path.status());
  if (!quiet) {
    std::fprintf(stderr, "heapledger: diff: written to %s\n", path->c_str());
  }
  return kDone;
}

int Run(const Arguments& arguments, const CommandLine& line) {
  if (arguments.what.size() < 2) {
    return Fail("diff",
                "a difference needs two heaps or more; give two of FILE, PID, "
                "PID@MARK",
                kUsage);
  }
  const auto profiles = Profiles(arguments);
  if (!profiles.ok()) return FailWith("diff", profiles.status());
  if (!arguments.output.empty() || !arguments.format.empty()) {
    return Write(*profiles, arguments, line.quiet);
  }
  const Comparison comparison =
      Compare(*profiles, arguments.diff.by, arguments.diff.value);
  Page(arguments.json ? JsonText(DiffJson(comparison, arguments.diff))
                      : DiffText(comparison, arguments.diff));
  return kDone;
}

}  // namespace

Verb AddDiff(CLI::App& parent, const CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* const app = parent.add_subcommand(
      "diff", "What grew and what shrank between snapshots or marks");
  app->add_option("A B", arguments->what,
                  "Two or more: .hl and .ledger files, pids (as of now), "
                  "PID@MARK")
      ->type_name("[C...]")
      ->required();
  app->add_option("--pid", arguments->pid,
                  "Plain words are marks of this program; 'now' is its ledger")
      ->type_name("PID");
  app->add_flag("--grew-in-all", arguments->diff.grew_in_all,
                "Only callsites whose live bytes rose in every interval");
  AddValueOption(*app, "--value", arguments->diff.value);
  app->add_option("--by", arguments->diff.by, "callsite, function or module")
      ->transform(CLI::CheckedTransformer(kGroups).description(""))
      ->type_name("GROUP");
  app->add_option("--limit", arguments->diff.limit,
                  "Rows of each kind, 0 for all (default 20)")
      ->type_name("N");
  app->add_option("--format", arguments->format,
                  "As a profile: pb.gz, folded, speedscope.json, json, txt, "
                  "svg or html")
      ->type_name("FORMAT");
  app->add_option("-o,--output", arguments->output, "Write to this file")
      ->type_name("FILE");
  app->add_flag("--force", arguments->force, "Overwrite the file");
  app->add_flag("--json", arguments->json, "The tables as JSON");
  AddSymbolOptions(*app, arguments->symbols);
  app->add_option("--dir", arguments->directory, "Look in this directory")
      ->type_name("DIR");
  app->footer(
      "Examples:\n  heapledger diff 4242@deploy-41 4242\n"
      "  heapledger diff --pid 4242 monday tuesday wednesday --grew-in-all\n"
      "  heapledger diff before.hl after.hl -o growth.html");
  return {app, [arguments, &line] { return Run(*arguments, line); }};
}

}  // namespace heapledger::collector::cli
