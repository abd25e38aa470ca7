// SPDX-License-Identifier: Apache-2.0
#include "collector/system/watch.h"

#include <dirent.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <unordered_set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "collector/system/numbers.h"
#include "collector/system/process_memory.h"
#include "collector/system/read_file.h"

namespace heapledger::collector {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kShortestPause{2};
// A search costs one per cent of the time until the next at most.
constexpr int kPausePerSearch = 100;

std::optional<StatFields> ReadStat(const std::string& directory) {
  const auto text = ReadSmallFile(directory + "/stat");
  if (!text.ok()) return std::nullopt;
  auto stat = ParseStat(*text);
  if (stat && (stat->state == 'Z' || stat->state == 'X')) return std::nullopt;
  return stat;
}

// Last part of the executable's path; empty where it cannot be read.
std::string ExecutableName(const std::string& directory) {
  std::error_code unreadable;
  std::string path =
      std::filesystem::read_symlink(directory + "/exe", unreadable).string();
  constexpr std::string_view kDeleted = " (deleted)";
  if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

absl::StatusOr<ProcessWatch> ProcessWatch::Make(
    const std::vector<std::string>& words, const std::string& proc_root) {
  ProcessWatch watch(proc_root);
  for (const std::string& word : words) {
    const auto pid = ParseNumber(word);
    if (!pid) {
      watch.names_.push_back(word);
      continue;
    }
    const std::string directory = absl::StrCat(proc_root, "/", *pid);
    const auto stat = ReadStat(directory);
    if (!stat) {
      return absl::NotFoundError(
          absl::StrCat("watch pid ", word,
                       ": no such process; give one that runs, or a name"));
    }
    std::string name = ExecutableName(directory);
    watch.found_.push_back({.pid = static_cast<std::uint32_t>(*pid),
                            .start_time_ticks = stat->start_time_ticks,
                            .name = name.empty() ? stat->comm : name});
  }
  return watch;
}

const std::vector<WatchedProcess>& ProcessWatch::Find(Clock::time_point now) {
  std::erase_if(found_, [this](const WatchedProcess& process) {
    const auto stat = ReadStat(absl::StrCat(proc_root_, "/", process.pid));
    return !stat || stat->start_time_ticks != process.start_time_ticks;
  });
  if (!names_.empty() && now >= next_search_) {
    const Clock::time_point begin = Clock::now();
    Search();
    const Clock::duration taken = Clock::now() - begin;
    next_search_ = now + std::max<Clock::duration>(kShortestPause,
                                                   kPausePerSearch * taken);
  }
  return found_;
}

void ProcessWatch::Search() {
  const std::unique_ptr<DIR, int (*)(DIR*)> processes(
      ::opendir(proc_root_.c_str()), ::closedir);
  if (processes == nullptr) return;
  std::unordered_set<std::uint32_t> known;
  for (const WatchedProcess& process : found_) known.insert(process.pid);
  std::vector<WatchedProcess> added;
  while (const dirent* const entry = ::readdir(processes.get())) {
    const auto pid = ParseNumber(entry->d_name);
    if (!pid || known.contains(static_cast<std::uint32_t>(*pid))) continue;
    const std::string directory = absl::StrCat(proc_root_, "/", *pid);
    const auto stat = ReadStat(directory);
    if (!stat) continue;
    std::string name = NameFor(stat->comm, directory);
    if (name.empty()) continue;
    added.push_back({.pid = static_cast<std::uint32_t>(*pid),
                     .start_time_ticks = stat->start_time_ticks,
                     .name = std::move(name)});
  }
  std::ranges::sort(added, {}, &WatchedProcess::start_time_ticks);
  found_.insert(found_.end(), added.begin(), added.end());
}

std::string ProcessWatch::NameFor(std::string_view comm,
                                  const std::string& directory) const {
  const std::string executable = ExecutableName(directory);
  for (const std::string& name : names_) {
    if (name == comm || name == executable) return name;
  }
  return "";
}

}  // namespace heapledger::collector
