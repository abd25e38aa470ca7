// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/gate_options.h"

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>

#include "collector/cli/tag_options.h"
#include "collector/gate/byte_size.h"

namespace heapledger::collector::cli {
namespace {

// An option that takes a size, and gives it to `set`.
CLI::Option* AddSize(CLI::App& app, const std::string& name,
                     const std::string& text,
                     std::function<void(std::uint64_t)> set) {
  return app
      .add_option_function<std::string>(
          name,
          [name, set = std::move(set)](const std::string& value) {
            const auto bytes = gate::ParseByteSize(value);
            if (!bytes) {
              throw CLI::ValidationError(
                  name, "'" + value + "' is no size such as 4096, 64KiB or 1M");
            }
            set(*bytes);
          },
          text)
      ->type_name("SIZE");
}

void AddPolicyOptions(CLI::App& app, gate::Policy& policy) {
  AddSize(app, "--max-leaked", "Bytes that new leaks may have (default 0)",
          [&policy](std::uint64_t n) { policy.max_leaked_bytes = n; });
  AddSize(app, "--max-growth",
          "Live bytes that every round may add to those of the round before; "
          "of one round: that it may leave",
          [&policy](std::uint64_t n) { policy.max_growth_bytes = n; });
  AddSize(app, "--max-peak", "Live bytes that a process may reach",
          [&policy](std::uint64_t n) { policy.max_peak_bytes = n; });
  app.add_option("--max-allocs", policy.max_allocations,
                 "Allocations that all processes may make")
      ->type_name("N");
  app.add_option_function<std::vector<std::string>>(
         "--max-tag-live",
         [&policy](const std::vector<std::string>& budgets) {
           for (const std::string& budget : budgets) {
             // A tag's text may hold equal signs itself.
             const std::size_t at = budget.rfind('=');
             const auto bytes =
                 at == std::string::npos || at == 0
                     ? std::nullopt
                     : gate::ParseByteSize(budget.substr(at + 1));
             if (!bytes) {
               throw CLI::ValidationError(
                   "--max-tag-live", "'" + budget +
                                         "' is no tag with a size such as "
                                         "cache=1MiB or tenant=acme=64KiB");
             }
             policy.max_tag_live_bytes[budget.substr(0, at)] = *bytes;
           }
         },
         "Live bytes that may be left under a tag (its name, or all of its "
         "text), repeatable")
      ->allow_extra_args(false)
      ->type_name("TAG=SIZE");
  app.add_flag_callback(
      "--unreachable-only", [&policy] { policy.tell_reachable = false; },
      "Say nothing of memory that is still reachable");
  app.add_flag_callback(
      "--all-live", [&policy] { policy.judged = gate::Judged::kAllLive; },
      "Fail on whatever was not freed, reachable or not");
  app.add_flag("--allow-unmeasured", policy.allow_unmeasured,
               "Pass although a process could not be judged");
}

void AddReportOptions(CLI::App& app, ReportFiles& reports) {
  const auto file = [&app](const std::string& name, std::string& path,
                           const std::string& text) {
    app.add_option(name, path, text)->type_name("FILE");
  };
  file("--junit", reports.junit, "Write JUnit XML, a case per finding");
  file("--sarif", reports.sarif, "Write SARIF 2.1.0");
  file("--gitlab", reports.gitlab, "Write GitLab's code quality report");
  file("--json", reports.json, "Write all there is");
  file("--markdown", reports.markdown, "Write a comment or summary");
  app.add_flag("--github", reports.github,
               "Print GitHub's annotations, and write its step summary");
}

}  // namespace

void AddGateOptions(CLI::App& app, GateOptions& options) {
  app.add_option("CMD", options.command,
                 "The test and its arguments, best after --")
      ->type_name("...");
  AddPolicyOptions(app, options.policy);
  app.add_option("--repeat", options.repeat,
                 "Rounds; only what leaks in each of them counts (default 1)")
      ->check(CLI::Range(1U, 10000U).description(""))
      ->type_name("N");
  app.add_option("--warmup", options.warmup,
                 "Rounds before these that do not count (default 0)")
      ->check(CLI::Range(0U, 10000U).description(""))
      ->type_name("N");
  app.add_option("--baseline", options.baseline,
                 "Leaks that are known; only others fail")
      ->type_name("FILE");
  app.add_flag("--update-baseline", options.update_baseline,
               "Write the leaks of this run to it");
  app.add_option("--suppressions", options.suppressions,
                 "Rules as LeakSanitizer has them; LSAN_OPTIONS counts, too")
      ->expected(1)
      ->type_name("FILE");
  AddTagsOption(app, options.tags);
  app.add_option("--exit-code", options.exit_code,
                 "Status of a leak or an exceeded budget (default 23)")
      ->check(CLI::Range(0, 255).description(""))
      ->type_name("N");
  AddReportOptions(app, options.reports);
  app.add_option("--follow", options.shim.follow,
                 "Children to judge: all, none or names (default all)")
      ->delimiter(',')
      ->expected(1)
      ->type_name("WHOM");
  app.add_option_function<double>(
         "--wait",
         [&options](double seconds) {
           options.wait_ms = static_cast<int>(seconds * 1000);
         },
         "Seconds for processes that outlive CMD (default 2)")
      ->check(CLI::Range(0.0, 3600.0).description(""))
      ->type_name("SECONDS");
  app.footer(
      "Status: the program's own if it fails, else 0, 23 for a leak or budget, "
      "3 if not\nall was measured, 2 for wrong usage.\n"
      "Examples:\n  heapledger gate -- ./unit_test\n"
      "  heapledger gate --repeat 5 --max-growth 0 -- ./cart_test\n"
      "  heapledger gate --baseline leaks.txt --sarif gate.sarif --github -- "
      "ctest");
}

absl::Status CheckOptions(const GateOptions& options) {
  if (options.command.empty()) {
    return absl::InvalidArgumentError(
        "no command to run; give one: heapledger gate -- CMD");
  }
  if (options.policy.judged == gate::Judged::kAllLive &&
      !options.policy.tell_reachable) {
    return absl::InvalidArgumentError(
        "--all-live and --unreachable-only contradict each other; leave one "
        "out");
  }
  if (options.update_baseline && options.baseline.empty()) {
    return absl::InvalidArgumentError(
        "--update-baseline has no file to write; add --baseline FILE");
  }
  return absl::OkStatus();
}

}  // namespace heapledger::collector::cli
