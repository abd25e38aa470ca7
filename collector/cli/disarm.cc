// SPDX-License-Identifier: Apache-2.0
// heapledger disarm PID|NAME
#include <CLI/CLI.hpp>
#include <memory>

#include "collector/cli/control_request.h"
#include "collector/cli/verb.h"

namespace heapledger::collector::cli {

Verb AddDisarm(CLI::App& parent, const CommandLine& line) {
  auto arguments = std::make_shared<ControlArguments>();
  CLI::App* const app =
      parent.add_subcommand("disarm", "Have a program follow no new blocks");
  AddControlOptions(*app, *arguments);
  app->footer(
      "Example: heapledger disarm 4242\n"
      "Blocks that are booked already are followed until they are freed.");
  return {app, [arguments, &line] {
            ControlRequest request;
            request.disarm = true;
            return AskProgram("disarm", request, *arguments, line.quiet);
          }};
}

}  // namespace heapledger::collector::cli
