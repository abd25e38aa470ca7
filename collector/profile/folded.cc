// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/profile/foreign_text.h"
#include "collector/profile/frame_tree.h"
#include "collector/profile/writers.h"

namespace heapledger::collector {
namespace {

// A function as one part of a line: no separator, no line break.
std::string FoldedName(const TreeFrame& frame) {
  std::string name = OneLine(frame.function);
  std::ranges::replace(name, ';', ':');
  return name;
}

}  // namespace

std::string WriteFolded(const Profile& profile, const WriteOptions& options) {
  const FrameTree tree(profile);
  std::vector<std::string> names;
  for (const TreeFrame& frame : tree.frames()) {
    names.push_back(FoldedName(frame));
  }
  // Two nodes can have one line: functions of one name in two modules.
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> lines;
  std::vector<std::uint32_t> path;
  for (std::size_t i = 0; i < profile.samples.size(); ++i) {
    const ProfileSample& sample = profile.samples[i];
    const std::int64_t before = sample.before.of(options.value);
    const std::int64_t after = sample.after().of(options.value);
    if (before == 0 && after == 0) continue;
    path.clear();
    for (std::uint32_t node = tree.leaves()[i]; node != 0;
         node = tree.parents()[node]) {
      path.push_back(node);
    }
    std::string line;
    for (auto node = path.rbegin(); node != path.rend(); ++node) {
      if (!line.empty()) line += ';';
      line += names[tree.frame_indexes()[*node]];
    }
    auto& [sum_before, sum_after] = lines[std::move(line)];
    sum_before += before;
    sum_after += after;
  }
  std::string text;
  for (const auto& [line, sums] : lines) {
    absl::StrAppend(&text, line, " ");
    if (profile.is_difference) absl::StrAppend(&text, sums.first, " ");
    absl::StrAppend(&text, sums.second, "\n");
  }
  return text;
}

}  // namespace heapledger::collector
