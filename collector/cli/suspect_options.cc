// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/suspect_options.h"

#include <CLI/CLI.hpp>
#include <utility>

namespace heapledger::collector::cli {

void AddSuspectOptions(CLI::App& app, SuspectArguments& arguments) {
  app.add_option("--baseline", arguments.baseline,
                 "Suspects whose fingerprints stand in this file, one a line, "
                 "are known")
      ->type_name("FILE");
  app.add_option("--own", arguments.own_modules,
                 "Modules that are the program's own though they lie in a "
                 "system folder, such as 'libmine*.so*'; repeatable")
      ->allow_extra_args(false)
      ->type_name("PATTERN");
}

absl::StatusOr<SuspectRules> RulesFor(const SuspectArguments& arguments) {
  SuspectRules rules;
  rules.own_modules = arguments.own_modules;
  if (arguments.baseline.empty()) return rules;
  auto known = ReadBaseline(arguments.baseline);
  if (!known.ok()) return known.status();
  rules.known = *std::move(known);
  return rules;
}

}  // namespace heapledger::collector::cli
