// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/suspect_options.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <span>
#include <utility>

#include "collector/cli/gate_files.h"
#include "collector/gate/suppressions.h"
#include "collector/profile/profile.h"

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
  app.add_option("--suppressions", arguments.suppressions,
                 "Suspects that a rule of this file fits, in LeakSanitizer's "
                 "format, are suppressed; repeatable")
      ->allow_extra_args(false)
      ->type_name("FILE");
}

namespace {

gate::Finding FindingOf(std::span<const ResolvedFrame> frames) {
  gate::Finding finding;
  for (const ResolvedFrame& frame : frames) {
    finding.stack.push_back({FrameFunction(frame), frame.file, frame.line,
                             std::string(BaseName(frame.module)),
                             frame.module});
  }
  return finding;
}

// What a rule says of at most so many bytes is for the gate to judge: here a
// rule with a bound suppresses whatever the size.
absl::StatusOr<SuppressStack> ReadRules(const std::vector<std::string>& files) {
  auto rules = std::make_shared<gate::Suppressions>();
  for (const std::string& file : files) {
    const auto text = ReadFile(file);
    if (!text.ok()) return text.status();
    if (absl::Status ok = rules->Add(*text, file); !ok.ok()) return ok;
  }
  const gate::Day today{
      std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now())};
  return [rules, today](std::span<const ResolvedFrame> frames) {
    std::vector<std::size_t> expired;
    return rules->Match(FindingOf(frames), today, &expired).has_value();
  };
}

}  // namespace

absl::StatusOr<SuspectRules> RulesFor(const SuspectArguments& arguments) {
  SuspectRules rules;
  rules.own_modules = arguments.own_modules;
  if (!arguments.suppressions.empty()) {
    auto suppress = ReadRules(arguments.suppressions);
    if (!suppress.ok()) return suppress.status();
    rules.suppress = *std::move(suppress);
  }
  if (arguments.baseline.empty()) return rules;
  auto known = collector::ReadBaseline(arguments.baseline);
  if (!known.ok()) return known.status();
  rules.known = *std::move(known);
  return rules;
}

}  // namespace heapledger::collector::cli
