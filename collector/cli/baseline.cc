// SPDX-License-Identifier: Apache-2.0
// heapledger baseline record|show|rules
#include "collector/baseline/baseline.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "collector/baseline/baseline_file.h"
#include "collector/baseline/rules.h"
#include "collector/cli/baseline_record.h"
#include "collector/cli/baseline_view.h"
#include "collector/cli/http_get.h"
#include "collector/cli/output_file.h"
#include "collector/cli/pager.h"
#include "collector/cli/report_json.h"
#include "collector/cli/run_snapshots.h"
#include "collector/cli/verb.h"

namespace heapledger::collector::cli {
namespace {

using std::chrono::nanoseconds;

constexpr char kVerb[] = "baseline";
constexpr nanoseconds kShortest = std::chrono::seconds(5);
// As many as five minutes make in a day.
constexpr int kSamples = 288;

struct Arguments {
  CLI::App* record = nullptr;
  CLI::App* show = nullptr;
  CLI::App* rules = nullptr;

  std::string what;
  std::string duration = "24h";
  std::string interval;
  std::string collector;
  std::string directory;
  std::string file;
  std::string output;
  BaselineViewOptions view;
  std::uint64_t minimum_samples = baseline::RuleOptions().minimum_samples;
  bool json = false;
  bool force = false;
};

absl::StatusOr<baseline::Baseline> FromCollector(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--collector ", address, " names no port; give ADDR:PORT"));
  }
  auto text = HttpGet(address.substr(0, colon), address.substr(colon + 1),
                      "/api/v1/baseline");
  if (!text.ok()) return text.status();
  return baseline::ParseBaseline(*text, "of the collector at " + address);
}

absl::StatusOr<baseline::Baseline> FromProgram(const Arguments& arguments,
                                               const CommandLine& line) {
  RecordOptions options;
  options.what = arguments.what;
  options.discovery = DiscoveryFor(arguments.directory);
  const auto duration = ParseInterval(arguments.duration);
  if (!duration.ok()) return duration.status();
  if (*duration < kShortest) {
    return absl::InvalidArgumentError(
        "less than 5 s tells nothing of what is normal; give more with "
        "--duration");
  }
  options.duration = *duration;
  options.interval = std::clamp<nanoseconds>(*duration / kSamples,
                                             std::chrono::milliseconds(100),
                                             std::chrono::minutes(5));
  if (!arguments.interval.empty()) {
    const auto interval = ParseInterval(arguments.interval);
    if (!interval.ok()) return interval.status();
    options.interval = *interval;
  }
  if (!line.quiet) {
    std::fprintf(stderr,
                 "heapledger: baseline: looks at %s for %s; Ctrl-C ends it "
                 "early\n",
                 options.what.c_str(), arguments.duration.c_str());
  }
  return Record(options);
}

int RunRecord(const Arguments& arguments, const CommandLine& line) {
  if (arguments.what.empty() == arguments.collector.empty()) {
    return Fail(kVerb, "give a running program or --collector, one of them",
                kUsage);
  }
  auto kept = baseline::ReadBaselineFile(arguments.output);
  if (!kept.ok() && !absl::IsNotFound(kept.status())) {
    return FailWith(kVerb, kept.status());
  }
  const auto learned = arguments.collector.empty()
                           ? FromProgram(arguments, line)
                           : FromCollector(arguments.collector);
  if (!learned.ok()) return FailWith(kVerb, learned.status());
  baseline::Baseline all = kept.ok() ? *std::move(kept) : baseline::Baseline();
  for (const auto& [program, period] : *learned) {
    baseline::ProgramBaseline& ours = all[program];
    // What was known becomes the previous baseline.
    ours = {period.Both(), ours.Both()};
  }
  const absl::Status written =
      baseline::WriteBaselineFile(arguments.output, all);
  if (!written.ok()) return FailWith(kVerb, written);
  if (!line.quiet) {
    std::fprintf(stderr,
                 "heapledger: baseline: wrote %s; show it with heapledger "
                 "baseline show %s\n",
                 arguments.output.c_str(), arguments.output.c_str());
  }
  return kDone;
}

int RunShow(const Arguments& arguments) {
  const auto baseline = baseline::ReadBaselineFile(arguments.file);
  if (!baseline.ok()) return FailWith(kVerb, baseline.status());
  if (arguments.json) {
    Page(JsonText(BaselineJson(*baseline, arguments.view)));
    return kDone;
  }
  const std::string table = BaselineTable(*baseline, arguments.view);
  if (table.empty()) {
    return Fail(kVerb, arguments.file + " has no samples of that yet");
  }
  Page(table);
  return kDone;
}

int RunRules(const Arguments& arguments) {
  const auto baseline = baseline::ReadBaselineFile(arguments.file);
  if (!baseline.ok()) return FailWith(kVerb, baseline.status());
  baseline::RuleOptions options;
  options.minimum_samples = arguments.minimum_samples;
  const auto rules = baseline::RulesText(*baseline, arguments.file, options);
  if (!rules) {
    return Fail(kVerb, absl::StrCat(arguments.file, " has no quantity with ",
                                    options.minimum_samples,
                                    " samples, which a threshold takes; record "
                                    "for longer or lower --min-samples"));
  }
  if (arguments.output.empty()) {
    std::fwrite(rules->data(), 1, rules->size(), stdout);
    return kDone;
  }
  const auto written =
      WriteOutput(EscapedName(arguments.output), {}, *rules,
                  arguments.force ? Overwrite::kForce : Overwrite::kRefuse);
  return written.ok() ? kDone : FailWith(kVerb, written.status());
}

void AddRecordVerb(CLI::App& app, Arguments& arguments) {
  arguments.record = app.add_subcommand(
      "record", "Learn what is normal, of a program or from a collector");
  CLI::App& record = *arguments.record;
  record.add_option("PID|NAME", arguments.what,
                    "A running program, measured or not");
  record
      .add_option("-o,--output", arguments.output,
                  "The baseline's file; what it knows of the program becomes "
                  "the previous baseline")
      ->type_name("FILE")
      ->required();
  record
      .add_option("--duration", arguments.duration,
                  "How long to look (default 24h)")
      ->type_name("DURATION");
  record
      .add_option("--interval", arguments.interval,
                  "Between samples (default a 288th of the duration, 5m at "
                  "most)")
      ->type_name("DURATION");
  record
      .add_option("--collector", arguments.collector,
                  "Take what this collector has learned with "
                  "--memory-baseline")
      ->type_name("ADDR:PORT");
  record.add_option("--dir", arguments.directory, "Look in this directory")
      ->type_name("DIR");
  record.footer(
      "Example: heapledger baseline record 4242 --duration 1h -o normal.json");
}

void AddShowVerb(CLI::App& app, Arguments& arguments) {
  arguments.show = app.add_subcommand("show", "The figures of a baseline");
  CLI::App& show = *arguments.show;
  show.add_option("FILE", arguments.file, "The baseline")->required();
  show.add_option("--program", arguments.view.program, "Only this one")
      ->type_name("NAME");
  show.add_flag("--slots", arguments.view.slots,
                "Each hour of the week (UTC), too");
  show.add_flag("--previous", arguments.view.previous,
                "Only the period before the present one");
  show.add_flag("--json", arguments.json, "As JSON");
  show.footer("Example: heapledger baseline show normal.json");
}

void AddRulesVerb(CLI::App& app, Arguments& arguments) {
  arguments.rules = app.add_subcommand(
      "rules", "Alerting rules of Prometheus with thresholds from a baseline");
  CLI::App& rules = *arguments.rules;
  rules.add_option("FILE", arguments.file, "The baseline")->required();
  rules
      .add_option("-o,--output", arguments.output,
                  "Write them to this file (default: stdout)")
      ->type_name("FILE");
  rules.add_flag("--force", arguments.force, "Overwrite the file");
  rules
      .add_option("--min-samples", arguments.minimum_samples,
                  "No rule for a quantity with fewer (default 30)")
      ->check(CLI::Range(2, 1'000'000).description(""))
      ->type_name("N");
  rules.footer(
      "Example: heapledger baseline rules normal.json -o normal.rules.yml");
}

int Run(const Arguments& arguments, const CommandLine& line) {
  if (arguments.record->parsed()) return RunRecord(arguments, line);
  if (arguments.show->parsed()) return RunShow(arguments);
  return RunRules(arguments);
}

}  // namespace

Verb AddBaseline(CLI::App& parent, const CommandLine& line) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* const app = parent.add_subcommand(
      kVerb, "Learn a program's normal memory and write thresholds from it");
  app->require_subcommand(1);
  AddRecordVerb(*app, *arguments);
  AddShowVerb(*app, *arguments);
  AddRulesVerb(*app, *arguments);
  app->footer("Example: heapledger baseline record 4242 -o normal.json");
  return {app, [arguments, &line] { return Run(*arguments, line); }};
}

}  // namespace heapledger::collector::cli
