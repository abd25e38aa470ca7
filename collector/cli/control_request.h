// SPDX-License-Identifier: Apache-2.0
// Asking a running program to measure or to stop, and what came of it. Shared
// by arm and disarm.
#pragma once

#include <string>
#include <string_view>

#include "collector/shm/control_word.h"

namespace CLI {
class App;
}  // namespace CLI

namespace heapledger::collector::cli {

struct ControlArguments {
  std::string what;
  std::string directory;
  bool full_stacks = false;
  bool json = false;
};

// PID|NAME, --json and --dir.
void AddControlOptions(CLI::App& app, ControlArguments& arguments);

// Asks, waits for the answer for a while and prints it. Returns the exit code.
int AskProgram(std::string_view verb, const ControlRequest& request,
               const ControlArguments& arguments, bool quiet);

}  // namespace heapledger::collector::cli
