// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/log_options.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "collector/config/read_file.h"
#include "collector/logs/pattern_config.h"

namespace heapledger::collector::cli {
namespace {

absl::StatusOr<std::vector<logs::Pattern>> ReadPatterns(
    const std::string& path) {
  const auto text = ReadConfigFile(path);
  if (!text.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot read log patterns: ", text.status().message(),
                     "; give a file with --log-patterns"));
  }
  return logs::ParsePatternConfig(*text, path);
}

}  // namespace

void AddLogOptions(CLI::App& app, LogArguments& arguments) {
  app.add_option("--log", arguments.sources,
                 "Look in this log for memory that runs short, repeatable: "
                 "kmsg, journal, or a file, which may be a pattern such as "
                 "'/var/log/app*.log'")
      ->allow_extra_args(false)
      ->type_name("kmsg|journal|FILE");
  app.add_option("--log-patterns", arguments.patterns,
                 "Patterns of your own beside the built-in ones (YAML)")
      ->type_name("FILE");
  app.add_flag("--log-from-start", arguments.from_start,
               "Read logs from their start, too, not only what is new");
}

absl::StatusOr<std::unique_ptr<logs::LogWatch>> LogWatchFor(
    const LogArguments& arguments,
    std::function<void(const std::string&)> log) {
  if (arguments.sources.empty()) {
    if (arguments.patterns.empty()) return nullptr;
    return absl::InvalidArgumentError(
        "--log-patterns needs a log to look in; give one with --log");
  }
  logs::LogWatchOptions options;
  options.sources = arguments.sources;
  if (arguments.from_start) options.from = logs::ReadFrom::kStart;
  if (!arguments.patterns.empty()) {
    auto patterns = ReadPatterns(arguments.patterns);
    if (!patterns.ok()) return patterns.status();
    options.patterns = *std::move(patterns);
  }
  return logs::LogWatch::Make(std::move(options), std::move(log));
}

}  // namespace heapledger::collector::cli
