// SPDX-License-Identifier: Apache-2.0
// heapledger gate [options] -- CMD…
#include <string.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/cli/gate_files.h"
#include "collector/cli/gate_options.h"
#include "collector/cli/gate_round.h"
#include "collector/cli/output.h"
#include "collector/cli/run_directory.h"
#include "collector/cli/shim_environment.h"
#include "collector/cli/tag_options.h"
#include "collector/cli/verb.h"
#include "collector/gate/judge.h"
#include "collector/gate/sentences.h"
#include "collector/gate/writers.h"
#include "collector/profile/resolver.h"
#include "collector/shm/clock.h"

namespace heapledger::collector::cli {
namespace {

// All that is known before the command runs.
struct Prepared {
  gate::Suppressions suppressions;
  gate::Baseline baseline;
  std::shared_ptr<const TagRules> tag_rules;
};

absl::StatusOr<Prepared> Prepare(const GateOptions& options) {
  absl::Status ok = CheckOptions(options);
  if (!ok.ok()) return ok;
  Prepared prepared;
  auto rules = ReadSuppressions(options.suppressions, options.command[0]);
  if (!rules.ok()) return rules.status();
  prepared.suppressions = *std::move(rules);
  auto baseline =
      ReadBaseline(options.baseline,
                   options.update_baseline ? Absence::kEmpty : Absence::kFault);
  if (!baseline.ok()) return baseline.status();
  prepared.baseline = *std::move(baseline);
  auto tags = ReadTagConfig(options.tags);
  if (!tags.ok()) return tags.status();
  prepared.tag_rules = tags->rules;
  ok = CheckWritable(options.reports);
  if (!ok.ok()) return ok;
  return prepared;
}

gate::Day Today() {
  return std::chrono::floor<std::chrono::days>(
      std::chrono::system_clock::now());
}

// The project's root where its builder says so, else where we are.
std::string SourceRoot() {
  for (const char* name : {"GITHUB_WORKSPACE", "CI_PROJECT_DIR"}) {
    const std::string root = FromEnvironment(name);
    if (!root.empty()) return root;
  }
  std::error_code error;
  return std::filesystem::current_path(error).string();
}

class Gate {
 public:
  Gate(const GateOptions& options, const CommandLine& line)
      : options_(options), line_(line), names_(MakeResolver()) {}

  int Run() {
    const auto prepared = Prepare(options_);
    if (!prepared.ok()) return Refuse(prepared.status(), kUsage);
    const std::uint64_t start = ClockNs(CLOCK_MONOTONIC);
    if (const auto status = RunRounds(*prepared)) return *status;
    facts_.seconds =
        static_cast<double>(ClockNs(CLOCK_MONOTONIC) - start) / 1e9;
    facts_.ended_realtime_ns = ClockNs(CLOCK_REALTIME);
    facts_.program = std::filesystem::path(options_.command[0]).filename();
    facts_.version = HEAPLEDGER_VERSION;
    facts_.source_root = SourceRoot();
    facts_.baseline = options_.baseline;
    return Conclude(gate::Judge(rounds_, options_.policy,
                                prepared->suppressions, prepared->baseline,
                                Today()));
  }

 private:
  static int Refuse(const absl::Status& status, int code) {
    return Fail("gate", std::string(status.message()), code);
  }

  // A status where nothing can be judged.
  std::optional<int> RunRounds(const Prepared& prepared) {
    const std::uint32_t all = options_.warmup + options_.repeat;
    for (std::uint32_t round = 0; round < all; ++round) {
      auto directory = RunDirectory::Create(DiscoveryFor(""));
      if (!directory.ok()) return Refuse(directory.status(), kNotMeasured);
      auto environment = ShimEnvironment(options_.shim, *directory);
      if (!environment.ok()) {
        directory->Remove();
        return Refuse(environment.status(), kNotMeasured);
      }
      (*environment)["HEAPLEDGER_SCAN"] = "exit";
      RoundOutcome outcome = RunRound(
          {options_.command, *environment,
           options_.policy.needs_live() ? gate::Callsites::kAllLive
                                        : gate::Callsites::kUnreachable,
           options_.wait_ms, prepared.tag_rules},
          *directory, *names_);
      pid_ = outcome.child.pid;
      Keep(*std::move(directory));
      if (outcome.child.start_error != 0) {
        kept_->Remove();
        return Fail("gate",
                    absl::StrCat("cannot start ", options_.command[0], ": ",
                                 strerror(outcome.child.start_error),
                                 "; check its name and PATH"),
                    outcome.child.status);
      }
      const bool failed = outcome.round.program_status != 0;
      // A failed round is the last, and is judged even if it is a warm-up.
      if (round >= options_.warmup || failed) {
        rounds_.push_back(std::move(outcome.round));
      }
      if (failed) break;
    }
    return std::nullopt;
  }

  // The last round's ledgers stay for `report`.
  void Keep(RunDirectory directory) {
    if (kept_) kept_->Remove();
    kept_ = std::move(directory);
  }

  int Conclude(const gate::Judgement& judgement) {
    if (!line_.quiet) Tell(judgement);
    absl::Status written = WriteReports(
        options_.reports,
        {static_cast<int>(pid_), facts_.program, facts_.ended_realtime_ns},
        judgement, facts_);
    const absl::Status updated = UpdateBaseline(judgement);
    if (judgement.verdict == gate::Verdict::kPass) kept_->Remove();
    written.Update(updated);
    if (!written.ok()) Refuse(written, kUsage);
    if (judgement.program_status != 0) return judgement.program_status;
    switch (judgement.verdict) {
      case gate::Verdict::kLeak:
        return accepted_ ? kDone : options_.exit_code;
      case gate::Verdict::kNotMeasured:
        return kNotMeasured;
      case gate::Verdict::kPass:
        break;
    }
    return written.ok() ? kDone : kUsage;
  }

  void Tell(const gate::Judgement& judgement) const {
    const bool colour = WantsColour(STDERR_FILENO);
    const bool good = judgement.verdict == gate::Verdict::kPass;
    std::fprintf(stderr, "heapledger: gate: %s: %s\n",
                 Printable(facts_.program).c_str(),
                 Styled(gate::VerdictSentence(judgement),
                        good ? Style::kBold : Style::kRed, colour)
                     .c_str());
    if (judgement.program_status != 0) {
      std::fprintf(stderr,
                   "  the program ended with status %d, which is passed on\n",
                   judgement.program_status);
    }
    std::fputs(gate::PlainText(judgement, facts_).c_str(), stderr);
    if (judgement.verdict == gate::Verdict::kLeak) {
      std::fprintf(stderr, "  all of it: heapledger report %d --dir %s\n",
                   static_cast<int>(pid_), kept_->path().c_str());
    }
  }

  // Only from a run that saw everything: else a leak would be forgotten.
  absl::Status UpdateBaseline(const gate::Judgement& judgement) {
    if (!options_.update_baseline) return absl::OkStatus();
    if (judgement.program_status != 0 || !judgement.unmeasured.empty()) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the baseline ", options_.baseline,
          " is left as it was, as not all of the run was measured or it "
          "failed; mend that first"));
    }
    const gate::Baseline baseline = gate::BaselineOf(judgement);
    absl::Status status =
        WriteFile(options_.baseline, gate::BaselineText(baseline));
    if (!status.ok()) return status;
    accepted_ = OnlyLeaks(judgement);
    if (!line_.quiet) {
      std::fprintf(stderr, "  baseline %s: %zu callsites\n",
                   options_.baseline.c_str(), baseline.size());
    }
    return absl::OkStatus();
  }

  // What a baseline can accept; other budgets stay exceeded.
  static bool OnlyLeaks(const gate::Judgement& judgement) {
    for (const gate::Budget& budget : judgement.budgets) {
      if (budget.name != "max-leaked" && budget.exceeded()) return false;
    }
    return true;
  }

  const GateOptions& options_;
  const CommandLine& line_;
  std::unique_ptr<FrameNames> names_;
  std::vector<gate::Round> rounds_;
  std::optional<RunDirectory> kept_;
  gate::GateFacts facts_;
  pid_t pid_ = 0;
  bool accepted_ = false;  // every leak is in the baseline now
};

}  // namespace

Verb AddGate(CLI::App& parent, const CommandLine& line) {
  auto options = std::make_shared<GateOptions>();
  CLI::App* const app =
      parent.add_subcommand("gate", "Run a test and fail it if it leaks");
  AddGateOptions(*app, *options);
  return {app, [options, &line] {
            std::vector<std::string>& command = options->command;
            if (!command.empty() && !line.after_dashes.empty()) {
              command.emplace_back("--");  // it was the program's own
            }
            command.insert(command.end(), line.after_dashes.begin(),
                           line.after_dashes.end());
            return Gate(*options, line).Run();
          }};
}

}  // namespace heapledger::collector::cli
