// SPDX-License-Identifier: Apache-2.0
// heapledger rules test FILE --replay HISTORY
#pragma once

#include <string>

namespace CLI {
class App;
}  // namespace CLI

namespace heapledger::collector::cli {

struct RulesReplayArguments {
  std::string rules;
  std::string replay;
  std::string limit;
  std::string hold = "1h";
  bool json = false;
};

// The subcommand of `rules`.
CLI::App* AddRulesTest(CLI::App& rules, RulesReplayArguments& arguments);
// Returns the exit code.
int RunRulesTest(const RulesReplayArguments& arguments);

}  // namespace heapledger::collector::cli
