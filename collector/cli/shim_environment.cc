// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/shim_environment.h"

#include <stdlib.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "collector/cli/shim.h"

namespace heapledger::collector::cli {

std::string FromEnvironment(const char* name) {
  const char* const value = getenv(name);
  return value == nullptr ? "" : value;
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
  AddModeEnvironment(settings.mode, environment);
  if (settings.max_depth) {
    environment["HEAPLEDGER_MAX_DEPTH"] = absl::StrCat(*settings.max_depth);
  }
  if (!settings.follow.empty()) {
    environment["HEAPLEDGER_FOLLOW"] = absl::StrJoin(settings.follow, ",");
  }
  if (!settings.python.empty()) {
    environment["HEAPLEDGER_PYTHON"] =
        settings.python == "all" ? "frames,metrics" : settings.python;
  }
  return environment;
}

}  // namespace heapledger::collector::cli
