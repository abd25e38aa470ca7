// SPDX-License-Identifier: Apache-2.0
#include "collector/response/target_scout.h"

#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "collector/system/read_file.h"

namespace heapledger::collector::response {
namespace {

constexpr std::chrono::seconds kAgain{10};
constexpr std::size_t kMostMaps = 1 << 20;

std::string ExecutableOf(const std::string& directory) {
  std::error_code unreadable;
  std::string path =
      std::filesystem::read_symlink(directory + "/exe", unreadable).string();
  constexpr std::string_view kDeleted = " (deleted)";
  if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
  return path;
}

bool RunsPython(const std::string& exe, const std::string& directory) {
  if (exe.substr(exe.rfind('/') + 1).starts_with("python")) return true;
  return ReadSmallFile(directory + "/maps", kMostMaps)
             .value_or("")
             .find("/libpython") != std::string::npos;
}

}  // namespace

const TargetScout::Facts& TargetScout::Of(const TargetKey& key,
                                          const std::string& process,
                                          bool under_shim,
                                          Clock::time_point now) {
  if (now >= next_mounts_) {
    next_mounts_ = now + kAgain;
    mounts_ = ParseCgroupMounts(
        ReadSmallFile(root_ + "/proc/self/mountinfo", 1 << 20).value_or(""));
  }
  Known& known = known_[key];
  known.asked = true;
  Target& target = known.facts.target;
  // By exec it becomes another program.
  if (now >= known.next || target.process != process) {
    known.next = now + kAgain;
    target.key = key;
    target.process = process;
    Look(known);
  }
  target.under_shim = under_shim;
  return known.facts;
}

void TargetScout::Look(Known& known) {
  Target& target = known.facts.target;
  const std::string directory = absl::StrCat(root_, "/proc/", target.key.pid);
  target.exe = ExecutableOf(directory);
  target.python = RunsPython(target.exe, directory);
  known.facts.place = LocateCgroup(
      mounts_,
      ParseCgroupMembership(ReadSmallFile(directory + "/cgroup").value_or("")),
      root_);
  target.cgroup = known.facts.place ? known.facts.place->name : "";
}

void TargetScout::Forget() {
  for (auto it = known_.begin(); it != known_.end();) {
    it = std::exchange(it->second.asked, false) ? std::next(it)
                                                : known_.erase(it);
  }
}

}  // namespace heapledger::collector::response
