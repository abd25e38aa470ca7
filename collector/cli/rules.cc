// SPDX-License-Identifier: Apache-2.0
// heapledger rules [-o DIR]
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "collector/cli/output_file.h"
#include "collector/cli/report_json.h"
#include "collector/cli/rules_options.h"
#include "collector/cli/rules_replay.h"
#include "collector/cli/verb.h"
#include "collector/monitoring/files.h"

namespace heapledger::collector::cli {
namespace {

namespace fs = std::filesystem;
using monitoring::File;

// Other programs read these files, under users of their own.
constexpr mode_t kReadable = 0644;

// Before anything is written: half of a set that does not fit the other half
// would be worse than none.
absl::Status CheckRoom(const fs::path& directory,
                       const std::vector<File>& files) {
  for (const File& file : files) {
    std::error_code error;
    const fs::path path = directory / file.name;
    if (fs::exists(fs::symlink_status(path, error))) {
      return absl::AlreadyExistsError(
          absl::StrCat(path.string(),
                       " is there already; overwrite it with --force or name "
                       "another directory with -o DIR"));
    }
  }
  return absl::OkStatus();
}

absl::Status Write(const fs::path& path, const std::string& text,
                   Overwrite overwrite) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (error) {
    return absl::PermissionDeniedError(
        absl::StrCat("cannot make ", path.parent_path().string(), ": ",
                     error.message(), "; name another directory with -o DIR"));
  }
  const auto written =
      WriteOutput(EscapedName(path.string()), NameFields(), text, overwrite);
  if (!written.ok()) return written.status();
  if (::chmod(written->c_str(), kReadable) == 0) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(
      "cannot make ", *written, " readable to others: ", strerror(errno)));
}

int Run(const RulesArguments& arguments, const CommandLine& line) {
  const auto settings = SettingsFor(arguments);
  if (!settings.ok()) return FailWith("rules", settings.status());
  if (arguments.json) {
    std::fputs(JsonText(monitoring::Catalogue(*settings)).c_str(), stdout);
    return kDone;
  }
  const fs::path directory = arguments.directory;
  const std::vector<File> files = monitoring::MonitoringFiles(*settings);
  if (!arguments.force) {
    if (absl::Status ok = CheckRoom(directory, files); !ok.ok()) {
      return FailWith("rules", ok);
    }
  }
  for (const File& file : files) {
    const fs::path path = directory / file.name;
    if (absl::Status ok =
            Write(path, file.text,
                  arguments.force ? Overwrite::kForce : Overwrite::kRefuse);
        !ok.ok()) {
      return FailWith("rules", ok);
    }
    std::printf("%s\n", path.c_str());
  }
  if (!line.quiet) {
    std::fprintf(stderr,
                 "heapledger: rules: %zu files; next: read %s, then promtool "
                 "check config %s\n",
                 files.size(), (directory / "README.md").c_str(),
                 (directory / "prometheus/prometheus.yml").c_str());
  }
  return kDone;
}

}  // namespace

Verb AddRules(CLI::App& parent, const CommandLine& line) {
  auto arguments = std::make_shared<RulesArguments>();
  CLI::App* const app = parent.add_subcommand(
      "rules", "Write the files of Prometheus, Alertmanager and Grafana");
  AddRulesOptions(*app, *arguments);
  app->footer(
      "Examples:\n  heapledger rules -o monitoring --target 10.0.0.5:9797\n"
      "  heapledger rules --threshold usage_high=85% --threshold "
      "leak_bytes=16MiB\n  heapledger rules --limit postgres=4GiB --team "
      "infrastructure=sre \\\n    --runbook-base "
      "https://wiki.example.org/runbooks\n"
      "Secrets are never options: the files name the files that hold them.");
  auto test_arguments = std::make_shared<RulesReplayArguments>();
  CLI::App* const test = AddRulesTest(*app, *test_arguments);
  return {app, [arguments, test_arguments, test, &line] {
            return test->parsed() ? RunRulesTest(*test_arguments)
                                  : Run(*arguments, line);
          }};
}

}  // namespace heapledger::collector::cli
