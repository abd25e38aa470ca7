// SPDX-License-Identifier: Apache-2.0
// How `collect` is told to respond to pressure, and `rules test` to show what
// it would do.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "collector/response/rules.h"

namespace CLI {
class App;
}  // namespace CLI

namespace heapledger::collector::cli {

struct ResponseArguments {
  std::string rules;
  bool dry_run = false;
};

void AddResponseOptions(CLI::App& app, ResponseArguments& arguments);

// InvalidArgument for a file that anybody may write to: whoever does has our
// rights.
[[nodiscard]] absl::StatusOr<response::Rules> ReadResponseRules(
    const std::string& path);

struct ResponsePlan {
  response::Rules rules;
  std::string webhook_secret;
  bool dry_run = false;
};

// None where no response is asked for.
[[nodiscard]] absl::StatusOr<std::optional<ResponsePlan>> ResponsePlanFor(
    const ResponseArguments& arguments);

}  // namespace heapledger::collector::cli
