// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/response_options.h"

#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "collector/config/read_file.h"
#include "collector/response/rules_config.h"

namespace heapledger::collector::cli {
namespace {

constexpr std::size_t kLeastSecret = 16;

absl::Status CheckOwner(const std::string& path) {
  struct stat file = {};
  if (::stat(path.c_str(), &file) == 0 && (file.st_mode & S_IWOTH) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(path,
                     ": anybody may write to it, and so act with our "
                     "rights; chmod o-w it"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadSecret(const std::string& path) {
  const auto text = ReadConfigFile(path);
  if (!text.ok()) return text.status();
  std::string secret(absl::StripAsciiWhitespace(*text));
  if (secret.size() < kLeastSecret) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": the secret is shorter than ", kLeastSecret,
                     " characters; make one with openssl rand -hex 32"));
  }
  return secret;
}

}  // namespace

void AddResponseOptions(CLI::App& app, ResponseArguments& arguments) {
  app.add_option("--response", arguments.rules,
                 "Respond to pressure on memory as this file says (YAML); try "
                 "it with heapledger rules test")
      ->type_name("FILE");
  app.add_flag("--dry-run", arguments.dry_run,
               "Only say and count what the response would do");
}

absl::StatusOr<response::Rules> ReadResponseRules(const std::string& path) {
  const auto text = ReadConfigFile(path);
  if (!text.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "cannot read rules of response: ", text.status().message()));
  }
  if (absl::Status ok = CheckOwner(path); !ok.ok()) return ok;
  return response::ParseRules(*text, path);
}

absl::StatusOr<std::optional<ResponsePlan>> ResponsePlanFor(
    const ResponseArguments& arguments) {
  if (arguments.rules.empty()) {
    if (!arguments.dry_run) return std::nullopt;
    return absl::InvalidArgumentError(
        "--dry-run is for a response; name its rules with --response FILE");
  }
  auto rules = ReadResponseRules(arguments.rules);
  if (!rules.ok()) return rules.status();
  ResponsePlan plan;
  plan.dry_run = arguments.dry_run;
  if (!rules->webhook.secret_file.empty()) {
    auto secret = ReadSecret(rules->webhook.secret_file);
    if (!secret.ok()) {
      return absl::InvalidArgumentError(std::string(secret.status().message()));
    }
    plan.webhook_secret = *std::move(secret);
  }
  plan.rules = *std::move(rules);
  return plan;
}

}  // namespace heapledger::collector::cli
