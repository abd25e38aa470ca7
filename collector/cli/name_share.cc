// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/name_share.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "collector/cli/output.h"

namespace heapledger::collector::cli {
namespace {

constexpr std::size_t kModulesShown = 4;

}  // namespace

std::string NameShareLine(const LedgerSnapshot& snapshot, FrameNames& names) {
  const std::size_t frames = snapshot.tables->frames.size();
  if (frames == 0) return "";
  std::map<std::string, std::uint64_t> nameless;
  std::uint64_t named = 0;
  for (std::uint32_t frame = 0; frame < frames; ++frame) {
    const ResolvedFrame& physical = names.Resolve(snapshot, frame).back();
    if (physical.function.empty()) {
      ++nameless[physical.module];
    } else {
      ++named;
    }
  }
  std::string text = absl::StrCat(
      "names: ", HumanCount(named), " of ", HumanCount(frames), " frames",
      absl::StrFormat(" (%.1f%%)", 100.0 * static_cast<double>(named) /
                                       static_cast<double>(frames)));
  std::vector<std::pair<std::uint64_t, std::string>> modules;
  for (const auto& [module, count] : nameless) {
    modules.emplace_back(count, module);
  }
  std::ranges::sort(modules, std::greater());
  for (std::size_t i = 0; i < std::min(modules.size(), kModulesShown); ++i) {
    absl::StrAppend(&text, i == 0 ? "; none in " : ", ",
                    Printable(modules[i].second), " (",
                    HumanCount(modules[i].first), ")");
  }
  if (modules.size() > kModulesShown) {
    absl::StrAppend(&text, " and ", modules.size() - kModulesShown,
                    " more modules");
  }
  return text + "\n";
}

}  // namespace heapledger::collector::cli
