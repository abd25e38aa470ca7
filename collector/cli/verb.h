// SPDX-License-Identifier: Apache-2.0
// What main.cc and the verbs agree on. A verb is one file: it adds its
// subcommand and gives main the function to run once the line is parsed.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "collector/shm/discovery.h"

namespace CLI {
class App;
}  // namespace CLI

namespace heapledger::collector::cli {

// Exit codes that are no program's own.
inline constexpr int kDone = 0;
inline constexpr int kCouldNot = 1;
inline constexpr int kUsage = 2;
inline constexpr int kNotMeasured = 3;

// Filled before a verb runs.
struct CommandLine {
  bool quiet = false;
  int verbosity = 0;
  std::vector<std::string> after_dashes;  // what follows "--"
};

struct Verb {
  CLI::App* app = nullptr;
  std::function<int()> run;
};

Verb AddRun(CLI::App& parent, const CommandLine& line);
Verb AddPs(CLI::App& parent, const CommandLine& line);
Verb AddTop(CLI::App& parent, const CommandLine& line);
Verb AddReport(CLI::App& parent, const CommandLine& line);
Verb AddSnapshot(CLI::App& parent, const CommandLine& line);
Verb AddMark(CLI::App& parent, const CommandLine& line);
Verb AddDiff(CLI::App& parent, const CommandLine& line);
Verb AddLeaks(CLI::App& parent, const CommandLine& line);
Verb AddPostmortem(CLI::App& parent, const CommandLine& line);
Verb AddArm(CLI::App& parent, const CommandLine& line);
Verb AddDisarm(CLI::App& parent, const CommandLine& line);
Verb AddTrim(CLI::App& parent, const CommandLine& line);
Verb AddGate(CLI::App& parent, const CommandLine& line);
Verb AddCollect(CLI::App& parent, const CommandLine& line);
Verb AddRules(CLI::App& parent, const CommandLine& line);
Verb AddBaseline(CLI::App& parent, const CommandLine& line);
Verb AddDoctor(CLI::App& parent, const CommandLine& line);

// "heapledger: <verb>: <why>" on stderr; returns `code`.
int Fail(std::string_view verb, std::string_view why, int code = kCouldNot);

// The same for what a function could not do: kUsage where what it was given is
// at fault, else kCouldNot.
int FailWith(std::string_view verb, const absl::Status& status);

// The directories to look in: --dir where given, else the environment's.
DiscoveryOptions DiscoveryFor(const std::string& directory);

}  // namespace heapledger::collector::cli
