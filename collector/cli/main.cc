// SPDX-License-Identifier: Apache-2.0
// heapledger: dispatch to the verbs, one file each.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "collector/cli/help_screen.h"
#include "collector/cli/output.h"
#include "collector/cli/verb.h"

namespace heapledger::collector::cli {

int Fail(std::string_view verb, std::string_view why, int code) {
  const std::string name(verb.empty() ? "" : std::string(verb) + ": ");
  std::fprintf(stderr, "heapledger: %s%s\n", name.c_str(),
               Printable(why).c_str());
  return code;
}

int FailWith(std::string_view verb, const absl::Status& status) {
  return Fail(verb, std::string(status.message()),
              absl::IsInvalidArgument(status) ? kUsage : kCouldNot);
}

DiscoveryOptions DiscoveryFor(const std::string& directory) {
  DiscoveryOptions options = DiscoveryOptions::FromEnvironment();
  if (!directory.empty()) options.directory = directory;
  return options;
}

namespace {

int Dispatch(int argc, char** argv) {
  CommandLine line;
  std::vector<std::string> words(argv + 1, argv + argc);
  // What follows "--" is another program's business.
  const auto dashes = std::ranges::find(words, "--");
  if (dashes != words.end()) {
    line.after_dashes.assign(dashes + 1, words.end());
    words.erase(dashes, words.end());
  }
  std::ranges::reverse(words);  // as CLI11 takes them

  CLI::App app("Exact heap accounts of running programs, by callsite.",
               "heapledger");
  app.set_version_flag("--version", "heapledger " HEAPLEDGER_VERSION);
  app.add_flag("-q,--quiet", line.quiet, "Only data, no words");
  app.add_flag("-v,--verbose", line.verbosity, "More detail");
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(
      "Every verb has --help, -q (only data, no words) and -v (more detail).\n"
      "Example: heapledger run -- ls -lR /usr/include");
  app.formatter(MakeHelpScreen());
  const Verb verbs[] = {
      AddRun(app, line),      AddGate(app, line),      AddPs(app, line),
      AddTop(app, line),      AddReport(app, line),    AddLeaks(app, line),
      AddSnapshot(app, line), AddMark(app, line),      AddDiff(app, line),
      AddArm(app, line),      AddDisarm(app, line),    AddCollect(app, line),
      AddRules(app, line),    AddBaseline(app, line),  AddDoctor(app, line),
      AddTrim(app, line),     AddPostmortem(app, line)};
  try {
    app.parse(words);
  } catch (const CLI::ParseError& error) {
    // Help and version are "errors" with status 0.
    if (error.get_exit_code() == 0) return app.exit(error);
    const auto subcommands = app.get_subcommands();
    const std::string verb =
        subcommands.empty() ? "" : subcommands[0]->get_name();
    return Fail(verb,
                std::string(error.what()) + "; see heapledger " + verb +
                    (verb.empty() ? "--help" : " --help"),
                kUsage);
  }
  const auto chosen = std::ranges::find_if(
      verbs, [](const Verb& verb) { return verb.app->parsed(); });
  return chosen->run();
}

}  // namespace
}  // namespace heapledger::collector::cli

int main(int argc, char** argv) {
  try {
    return heapledger::collector::cli::Dispatch(argc, argv);
  } catch (const std::exception& error) {
    // No verb lets one out; what remains is memory that ran out.
    std::fprintf(stderr, "heapledger: stopped by %s; please report this\n",
                 error.what());
    return heapledger::collector::cli::kCouldNot;
  }
}
