// SPDX-License-Identifier: Apache-2.0
// heapledger trim PID|NAME
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "collector/cli/output.h"
#include "collector/cli/report_json.h"
#include "collector/cli/trim_json.h"
#include "collector/cli/trim_request.h"
#include "collector/cli/verb.h"

namespace heapledger::collector::cli {
namespace {

struct Arguments {
  std::string what;
  std::string directory;
  std::string timeout = "5s";
  bool json = false;
};

absl::StatusOr<std::chrono::milliseconds> PatienceOf(const std::string& text) {
  absl::Duration timeout;
  if (!absl::ParseDuration(text, &timeout) || timeout < absl::Milliseconds(1) ||
      timeout > absl::Hours(24)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--timeout ", text,
                     " is no time between 1ms and 24h; give one such as 5s"));
  }
  return absl::ToChronoMilliseconds(timeout);
}

int Run(const Arguments& arguments, const CommandLine& line) {
  const auto patience = PatienceOf(arguments.timeout);
  if (!patience.ok()) return FailWith("trim", patience.status());
  const auto answer =
      AskForTrim(arguments.what, DiscoveryFor(arguments.directory), *patience);
  if (!answer.ok()) return FailWith("trim", answer.status());
  if (arguments.json) {
    nlohmann::ordered_json json;
    json["pid"] = answer->who.pid;
    json["program"] = answer->who.Program();
    json["allocator"] = std::string(AllocatorWord(answer->allocator));
    json.update(TrimJson(answer->trim));
    std::fputs(JsonText(json).c_str(), stdout);
  } else if (!line.quiet) {
    std::printf("%s (pid %u): %s\n", Printable(answer->who.Program()).c_str(),
                answer->who.pid, TrimSentence(*answer).c_str());
  }
  if (answer->trim.result != TrimResult::kFailed) return kDone;
  return Fail("trim", TrimSentence(*answer));
}

}  // namespace

Verb AddTrim(CLI::App& parent, const CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* const app = parent.add_subcommand(
      "trim", "Have a program's allocator return free memory to the system");
  app->add_option("PID|NAME", arguments->what, "A pid or a program's name")
      ->required();
  app->add_option("--timeout", arguments->timeout,
                  "How long to wait for the program to allocate (default 5s)")
      ->type_name("DURATION");
  app->add_flag("--json", arguments->json, "As JSON");
  app->add_option("--dir", arguments->directory, "Look in this directory")
      ->type_name("DIR");
  app->footer(
      "Example: heapledger trim 4242\n"
      "One thread of the program does it at its next allocation, and is held "
      "up meanwhile: about\na second for ten GiB. No more than once a second. "
      "What it would return: heapledger report.");
  return {app, [arguments, &line] { return Run(*arguments, line); }};
}

}  // namespace heapledger::collector::cli
