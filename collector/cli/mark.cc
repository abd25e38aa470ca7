// SPDX-License-Identifier: Apache-2.0
// heapledger mark PID [NAME]
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/cli/find_ledger.h"
#include "collector/cli/mark_writer.h"
#include "collector/cli/mode_words.h"
#include "collector/cli/output.h"
#include "collector/cli/report_json.h"
#include "collector/cli/verb.h"
#include "collector/ledger/utc_time.h"
#include "collector/profile/hl_marks.h"

namespace heapledger::collector::cli {
namespace {

using Json = nlohmann::ordered_json;
using Ledger = std::shared_ptr<const LedgerSnapshot>;

struct Arguments {
  std::string what;
  std::string name;
  std::string directory;
  bool remove = false;
  bool force = false;
  bool json = false;
};

Json MarkJson(const HlMark& mark) {
  return {{"name", mark.name},
          {"taken_at", UtcTimeText(mark.taken_realtime_ns)},
          {"live_bytes", mark.live_bytes},
          {"live_objects", mark.live_objects}};
}

int List(const LedgerSnapshot& ledger, bool json) {
  const std::vector<HlMark> marks = ListMarks(ledger);
  if (json) {
    Json list = Json::array();
    for (const HlMark& mark : marks) list.push_back(MarkJson(mark));
    std::fputs(
        JsonText({{"pid", ledger.identity.pid}, {"marks", list}}).c_str(),
        stdout);
    return kDone;
  }
  using Align = Table::Align;
  Table table({{"TIME"},
               {"LIVE", Align::kRight},
               {"OBJECTS", Align::kRight},
               {"MARK"}});
  for (const HlMark& mark : marks) {
    table.AddRow({UtcTimeText(mark.taken_realtime_ns),
                  HumanBytes(mark.live_bytes), HumanCount(mark.live_objects),
                  mark.name});
  }
  std::fputs(table.ToString().c_str(), stdout);
  return kDone;
}

int Remove(const LedgerSnapshot& ledger, const std::string& name) {
  if (const auto mark = ReadMark(ledger, name);
      mark.status().code() == absl::StatusCode::kNotFound) {
    return FailWith("mark", mark.status());
  }
  const std::string path = MarkPath(ledger, name);
  if (unlink(path.c_str()) == 0) return kDone;
  return Fail("mark",
              absl::StrCat("cannot remove ", path, ": ", strerror(errno)));
}

int Set(const Ledger& ledger, const Arguments& arguments, bool quiet) {
  const auto written =
      SetMark(ledger, arguments.name,
              arguments.force ? Overwrite::kForce : Overwrite::kRefuse);
  if (!written.ok()) return FailWith("mark", written.status());
  const HlMark& mark = written->mark;
  if (arguments.json) {
    Json json = MarkJson(mark);
    json["pid"] = ledger->identity.pid;
    std::fputs(JsonText(json).c_str(), stdout);
  } else if (!quiet) {
    const std::string text = absl::StrCat(
        Printable(ledger->identity.Program()), " (pid ", ledger->identity.pid,
        "): marked '", mark.name, "' at live ", HumanBytes(mark.live_bytes),
        " in ", HumanCount(mark.live_objects), " objects (",
        HumanBytes(written->file_bytes), "); next: heapledger diff ",
        ledger->identity.pid, "@", mark.name, " ", ledger->identity.pid);
    std::fprintf(stderr, "heapledger: mark: %s\n", text.c_str());
  }
  return kDone;
}

int Run(const Arguments& arguments, const CommandLine& line) {
  const auto ledger =
      FindLedger(DiscoveryFor(arguments.directory), arguments.what);
  if (!ledger.ok()) return FailWith("mark", ledger.status());
  if (arguments.name.empty()) {
    if (!arguments.remove) return List(**ledger, arguments.json);
    return Fail("mark",
                "--remove needs the mark's name; heapledger mark PID lists "
                "them",
                kUsage);
  }
  return arguments.remove ? Remove(**ledger, arguments.name)
                          : Set(*ledger, arguments, line.quiet);
}

}  // namespace

Verb AddMark(CLI::App& parent, const CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* const app =
      parent.add_subcommand("mark", "Name this moment of a program, for diff");
  app->add_option("PID|NAME|FILE", arguments->what,
                  "A pid, a program's name or a .ledger file")
      ->required();
  app->add_option("MARK", arguments->name,
                  "The mark's name: letters, digits, '.', '_', '-'; without "
                  "one the marks are listed");
  app->add_flag("--force", arguments->force, "Set a mark anew");
  app->add_flag("--remove", arguments->remove, "Remove the mark");
  app->add_flag("--json", arguments->json, "As JSON");
  app->add_option("--dir", arguments->directory, "Look in this directory")
      ->type_name("DIR");
  app->footer(
      "Example: heapledger mark 4242 deploy-41   (later: heapledger diff "
      "4242@deploy-41 4242)\nAt most 64 per program; they go with its ledger.");
  return {app, [arguments, &line] { return Run(*arguments, line); }};
}

}  // namespace heapledger::collector::cli
