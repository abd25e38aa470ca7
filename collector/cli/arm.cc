// SPDX-License-Identifier: Apache-2.0
// heapledger arm PID|NAME
#include <CLI/CLI.hpp>
#include <memory>

#include "collector/cli/control_request.h"
#include "collector/cli/verb.h"

namespace heapledger::collector::cli {

Verb AddArm(CLI::App& parent, const CommandLine& line) {
  auto arguments = std::make_shared<ControlArguments>();
  CLI::App* const app = parent.add_subcommand(
      "arm", "Have a dormant program measure from now on");
  AddControlOptions(*app, *arguments);
  app->add_flag("--full-stacks", arguments->full_stacks,
                "Adaptive stacks: cut none for a while");
  app->footer(
      "Example: heapledger arm 4242\n"
      "For programs started with heapledger run --mode dormant, or disarmed. "
      "Blocks allocated\nmeanwhile are in no figure.");
  return {app, [arguments, &line] {
            ControlRequest request;
            request.arm = true;
            request.full_stacks = arguments->full_stacks;
            return AskProgram("arm", request, *arguments, line.quiet);
          }};
}

}  // namespace heapledger::collector::cli
