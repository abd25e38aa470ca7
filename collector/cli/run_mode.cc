// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/run_mode.h"

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"

namespace heapledger::collector::cli {
namespace {

// A sample per GiB is none in most programs.
constexpr std::uint32_t kMostSampleBytes = 1U << 30;

std::string Effective(const std::string& given, const char* variable,
                      const std::map<std::string, std::string>& before,
                      const char* otherwise) {
  if (!given.empty()) return given;
  const auto found = before.find(variable);
  return found == before.end() || found->second.empty() ? otherwise
                                                        : found->second;
}

}  // namespace

void AddModeOptions(CLI::App& app, RunMode& mode) {
  app.add_option("--mode", mode.mode,
                 "exact, sampled (estimates at next to no cost) or dormant "
                 "(nothing until heapledger arm) (default exact)")
      ->check(CLI::IsMember({"exact", "sampled", "dormant"}).description(""))
      ->type_name("MODE");
  app.add_option("--sample-bytes", mode.sample_bytes,
                 "Sampled: mean bytes between samples (default 524288); with "
                 "dormant: sample once armed")
      ->check(CLI::Range(1U, kMostSampleBytes).description(""))
      ->type_name("N");
  app.add_option("--stack", mode.stack,
                 "full, adaptive (outer frames only where memory stays), "
                 "frame-pointer or caller (default full)")
      ->check(CLI::IsMember({"full", "adaptive", "frame-pointer", "caller"})
                  .description(""))
      ->type_name("HOW");
  app.add_option("--budget", mode.budget_percent,
                 "Adaptive: CPU that stacks may cost, 1 to 100 (default 1)")
      ->check(CLI::Range(1U, 100U).description(""))
      ->type_name("PERCENT");
}

absl::Status CheckMode(const RunMode& mode,
                       const std::map<std::string, std::string>& before) {
  const std::string how =
      Effective(mode.mode, "HEAPLEDGER_MODE", before, "exact");
  const std::string stack =
      Effective(mode.stack, "HEAPLEDGER_STACK", before, "full");
  if (mode.sample_bytes && how == "exact") {
    return absl::InvalidArgumentError(
        "--sample-bytes means nothing where every allocation is booked; add "
        "--mode sampled, or --mode dormant to sample once armed");
  }
  if (mode.budget_percent && stack != "adaptive") {
    return absl::InvalidArgumentError(
        absl::StrCat("--budget means nothing with ", stack,
                     " stacks; add --stack adaptive"));
  }
  if (stack == "adaptive" && (how == "sampled" || mode.sample_bytes)) {
    return absl::InvalidArgumentError(
        "--stack adaptive saves nothing where only samples take a stack; "
        "leave it out, or measure with --mode exact");
  }
  return absl::OkStatus();
}

void AddModeEnvironment(const RunMode& mode,
                        std::map<std::string, std::string>& environment) {
  if (!mode.mode.empty()) environment["HEAPLEDGER_MODE"] = mode.mode;
  if (mode.sample_bytes) {
    environment["HEAPLEDGER_SAMPLE_BYTES"] = absl::StrCat(*mode.sample_bytes);
  }
  if (!mode.stack.empty()) environment["HEAPLEDGER_STACK"] = mode.stack;
  if (mode.budget_percent) {
    environment["HEAPLEDGER_BUDGET"] = absl::StrCat(*mode.budget_percent);
  }
}

}  // namespace heapledger::collector::cli
