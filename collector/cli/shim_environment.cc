// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/shim_environment.h"

#include <stdlib.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "collector/cli/shim.h"

namespace heapledger::collector::cli {

std::string FromEnvironment(const char* name) {
  const char* const value = getenv(name);
  return value == nullptr ? "" : value;
}

std::string AsanOptions(const std::string& before) {
  constexpr char kOption[] = "verify_asan_link_order";
  if (absl::StrContains(before, kOption)) return before;
  return absl::StrCat(before, before.empty() ? "" : ":", kOption, "=0");
}

absl::StatusOr<std::map<std::string, std::string>> ShimEnvironment(
    const ShimSettings& settings, const RunDirectory& directory) {
  const auto shim = FindShim();
  if (!shim.ok()) return shim.status();
  std::string allocator;
  if (settings.allocator != "system") {
    auto found = FindAllocator(settings.allocator);
    if (!found.ok()) return found.status();
    allocator = *std::move(found);
  }
  auto preload = PreloadValue(*shim, allocator, FromEnvironment("LD_PRELOAD"));
  if (!preload.ok()) return preload.status();
  std::map<std::string, std::string> environment;
  environment["LD_PRELOAD"] = *std::move(preload);
  environment["HEAPLEDGER_DIR"] = directory.path();
  environment["ASAN_OPTIONS"] = AsanOptions(FromEnvironment("ASAN_OPTIONS"));
  AddModeEnvironment(settings.mode, environment);
  if (settings.max_depth) {
    environment["HEAPLEDGER_MAX_DEPTH"] = absl::StrCat(*settings.max_depth);
  }
  if (!settings.follow.empty()) {
    environment["HEAPLEDGER_FOLLOW"] = absl::StrJoin(settings.follow, ",");
  }
  if (!settings.python.empty()) {
    const bool figures =
        settings.python == "metrics" || settings.python == "all";
    const bool frames = settings.python != "metrics";
    environment["HEAPLEDGER_PYTHON"] =
        absl::StrCat(frames ? "frames" : "", frames && figures ? "," : "",
                     figures ? "metrics" : "");
  }
  if (settings.python == "malloc" || settings.python == "all") {
    environment["PYTHONMALLOC"] = "malloc";
  }
  return environment;
}

}  // namespace heapledger::collector::cli
