// SPDX-License-Identifier: Apache-2.0
#include "collector/obituary/exit_watch.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "collector/system/numbers.h"
#include "collector/system/process_memory.h"
#include "collector/system/read_file.h"

namespace heapledger::collector::obituary {
namespace {

// include/uapi/linux/pidfd.h of Linux 6.15, which is newer than the headers of
// Debian 12.
struct PidfdInfo {
  std::uint64_t mask;
  std::uint64_t cgroup_id;
  std::uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid,
      fsgid;
  std::int32_t exit_code;
};
static_assert(sizeof(PidfdInfo) == 64);
constexpr std::uint64_t kPidfdInfoExit = 1 << 3;
constexpr unsigned long kPidfdGetInfo = _IOWR(0xff, 11, PidfdInfo);

std::uint64_t RealtimeNs() {
  timespec now = {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

std::string StatText(std::uint32_t pid) {
  return ReadSmallFile(absl::StrCat("/proc/", pid, "/stat")).value_or("");
}

// Field 52 of proc(5), which is 0 for who may not trace the process: then an
// orderly end and no answer look alike, and there is none.
std::optional<int> StatusOfZombie(const std::string& stat,
                                  std::uint64_t start_time_ticks) {
  const auto fields = ParseStat(stat);
  if (!fields || fields->state != 'Z' ||
      fields->start_time_ticks != start_time_ticks) {
    return std::nullopt;
  }
  std::string_view rest = std::string_view(stat).substr(stat.rfind(')') + 1);
  std::string_view word;
  constexpr int kFirst = 3;
  constexpr int kExitCode = 52;
  for (int field = kFirst; field <= kExitCode; ++field) word = NextWord(rest);
  while (!word.empty() && word.back() == '\n') word.remove_suffix(1);
  const auto code = ParseNumber(word);
  if (!code || *code == 0 || *code > 0xffff) return std::nullopt;
  return static_cast<int>(*code);
}

std::optional<int> StatusOfPidfd(int descriptor) {
  PidfdInfo info = {};
  info.mask = kPidfdInfoExit;
  if (ioctl(descriptor, kPidfdGetInfo, &info) != 0 ||
      (info.mask & kPidfdInfoExit) == 0) {
    return std::nullopt;
  }
  return info.exit_code;
}

}  // namespace

ExitWatch::~ExitWatch() {
  for (const auto& [key, entry] : entries_) {
    if (entry.descriptor >= 0) close(entry.descriptor);
  }
}

void ExitWatch::Add(std::uint32_t pid, std::uint64_t start_time_ticks) {
  const Key key(pid, start_time_ticks);
  if (entries_.size() >= kMaxWatched || entries_.contains(key)) return;
  const int descriptor = static_cast<int>(syscall(SYS_pidfd_open, pid, 0U));
  if (descriptor < 0) return;
  // Another process may have the pid by now: the descriptor is asked for first,
  // so that what is read here is of its process or nobody's.
  const auto stat = ParseStat(StatText(pid));
  if (!stat || stat->start_time_ticks != start_time_ticks) {
    close(descriptor);
    return;
  }
  entries_[key].descriptor = descriptor;
}

void ExitWatch::Remove(std::uint32_t pid, std::uint64_t start_time_ticks) {
  const auto found = entries_.find({pid, start_time_ticks});
  if (found == entries_.end()) return;
  if (found->second.descriptor >= 0) close(found->second.descriptor);
  entries_.erase(found);
}

void ExitWatch::AppendDescriptors(std::vector<int>& descriptors) const {
  for (const auto& [key, entry] : entries_) {
    if (!entry.exit) descriptors.push_back(entry.descriptor);
  }
}

void ExitWatch::Ask(const Key& key, Entry& entry) {
  if (const auto status = StatusOfPidfd(entry.descriptor)) {
    entry.exit->wait = {*status, "the kernel (pidfd)"};
  } else if (const auto zombie =
                 StatusOfZombie(StatText(key.first), key.second)) {
    entry.exit->wait = {*zombie, "the kernel (/proc/PID/stat)"};
  }
}

void ExitWatch::Poll() {
  std::vector<pollfd> waits;
  std::vector<std::pair<const Key*, Entry*>> asked;
  for (auto& [key, entry] : entries_) {
    if (entry.exit && entry.exit->wait) continue;
    waits.push_back({entry.descriptor, POLLIN, 0});
    asked.emplace_back(&key, &entry);
  }
  if (waits.empty() || poll(waits.data(), waits.size(), 0) <= 0) return;
  for (std::size_t i = 0; i < waits.size(); ++i) {
    if ((waits[i].revents & (POLLIN | POLLHUP)) == 0) continue;
    Entry& entry = *asked[i].second;
    if (!entry.exit) entry.exit = SeenExit{RealtimeNs(), std::nullopt};
    Ask(*asked[i].first, entry);
  }
}

std::optional<SeenExit> ExitWatch::Find(std::uint32_t pid,
                                        std::uint64_t start_time_ticks) const {
  const auto found = entries_.find({pid, start_time_ticks});
  return found == entries_.end() ? std::nullopt : found->second.exit;
}

}  // namespace heapledger::collector::obituary
