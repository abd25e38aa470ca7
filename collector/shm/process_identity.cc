// SPDX-License-Identifier: Apache-2.0
#include "collector/shm/process_identity.h"

#include <dirent.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string_view>
#include <system_error>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace heapledger::collector {
namespace {

// PROC_PID_INIT_INO of include/linux/proc_ns.h: from the first pid namespace
// every process of the machine is visible.
constexpr std::uint64_t kInitialPidNamespace = 0xEFFFFFFCU;

// /proc files have no size to ask for; what we read of them is short.
std::string ReadSmallFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(16384, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

// Inode of <directory>/ns/pid, 0 if it cannot be read.
std::uint64_t PidNamespaceOf(const std::string& directory) {
  char text[64];
  const ssize_t size =
      readlink(absl::StrCat(directory, "/ns/pid").c_str(), text, sizeof text);
  constexpr std::string_view kPrefix = "pid:[";
  if (size <= 0) return 0;
  std::string_view link(text, static_cast<std::size_t>(size));
  if (!link.starts_with(kPrefix) || !link.ends_with("]")) return 0;
  link = link.substr(kPrefix.size(), link.size() - kPrefix.size() - 1);
  std::uint64_t inode = 0;
  return absl::SimpleAtoi(absl::string_view(link.data(), link.size()), &inode)
             ? inode
             : 0;
}

// The pid in the innermost namespace, from the NSpid line of status.
std::uint32_t InnermostPid(const std::string& directory) {
  std::istringstream status(ReadSmallFile(absl::StrCat(directory, "/status")));
  std::string line;
  while (std::getline(status, line)) {
    if (!line.starts_with("NSpid:")) continue;
    std::uint32_t pid = 0;
    const std::size_t at = line.find_last_of(" \t");
    return absl::SimpleAtoi(line.substr(at + 1), &pid) ? pid : 0;
  }
  return 0;
}

bool Runs(const std::string& proc_root, std::uint32_t pid,
          std::uint64_t start_time_ticks) {
  const auto stat = ReadProcessStat(proc_root, pid);
  return stat && stat->start_time_ticks == start_time_ticks &&
         stat->run_state != 'Z' && stat->run_state != 'X';
}

bool RunsInNamespace(const std::string& proc_root,
                     const LedgerIdentity& identity) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(
      opendir(proc_root.c_str()), closedir);
  if (directory == nullptr) return false;
  while (const dirent* const entry = readdir(directory.get())) {
    std::uint32_t pid = 0;
    if (!absl::SimpleAtoi(entry->d_name, &pid)) continue;
    const std::string path = absl::StrCat(proc_root, "/", pid);
    if (Runs(proc_root, pid, identity.start_time_ticks) &&
        InnermostPid(path) == identity.pid &&
        PidNamespaceOf(path) == identity.pid_namespace) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::optional<ProcessStat> ReadProcessStat(const std::string& proc_root,
                                           std::uint32_t pid) {
  const std::string text =
      ReadSmallFile(absl::StrCat(proc_root, "/", pid, "/stat"));
  // "pid (comm) S ppid …": comm may hold blanks and parentheses itself.
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  if (open == std::string::npos || close == std::string::npos || close < open) {
    return std::nullopt;
  }
  const std::vector<std::string> fields =
      absl::StrSplit(absl::StripAsciiWhitespace(text.substr(close + 1)), ' ');
  // fields[0] is field 3 of proc(5); 20 = num_threads, 22 = starttime.
  constexpr std::size_t kThreads = 20 - 3;
  constexpr std::size_t kStartTime = 22 - 3;
  if (fields.size() <= kStartTime || fields[0].empty()) return std::nullopt;
  ProcessStat stat;
  stat.comm = text.substr(open + 1, close - open - 1);
  stat.run_state = fields[0][0];
  if (!absl::SimpleAtoi(fields[kStartTime], &stat.start_time_ticks)) {
    return std::nullopt;
  }
  (void)absl::SimpleAtoi(fields[1], &stat.parent_pid);
  std::uint32_t threads = 0;
  if (stat.run_state == 'Z' && absl::SimpleAtoi(fields[kThreads], &threads) &&
      threads > 1) {
    stat.run_state = 'S';  // main called pthread_exit; the others go on
  }
  return stat;
}

std::string ReadBootId(const std::string& proc_root) {
  return std::string(absl::StripAsciiWhitespace(
      ReadSmallFile(absl::StrCat(proc_root, "/sys/kernel/random/boot_id"))));
}

bool MapsShim(const std::string& proc_root, std::uint32_t pid) {
  std::ifstream maps(absl::StrCat(proc_root, "/", pid, "/maps"));
  std::string line;
  while (std::getline(maps, line)) {
    std::string_view text = line;
    constexpr std::string_view kDeleted = " (deleted)";
    if (text.ends_with(kDeleted)) text.remove_suffix(kDeleted.size());
    if (text.ends_with("/libheapledger.so")) return true;
  }
  return false;
}

namespace {

// An image that the shim is not in leaves the ledger of the one before as it
// was. It runs another file; as paths differ between mount namespaces, the
// mappings must say that the shim is gone as well.
bool OtherImageRuns(const std::string& proc_root,
                    const LedgerIdentity& identity) {
  const std::string process = absl::StrCat(proc_root, "/", identity.pid);
  std::error_code unreadable;
  const std::string exe =
      std::filesystem::read_symlink(process + "/exe", unreadable).string();
  if (unreadable || identity.exe.empty()) return false;
  if (absl::StripSuffix(exe, " (deleted)") ==
      absl::StripSuffix(identity.exe, " (deleted)")) {
    return false;
  }
  return !MapsShim(proc_root, identity.pid);
}

}  // namespace

Liveness LivenessOf(const std::string& proc_root,
                    const LedgerIdentity& identity) {
  const std::string boot_id = ReadBootId(proc_root);
  if (!boot_id.empty() && !identity.boot_id.empty() &&
      boot_id != identity.boot_id) {
    return Liveness::kDead;
  }
  const std::uint64_t ours = PidNamespaceOf(absl::StrCat(proc_root, "/self"));
  if (identity.pid_namespace == 0 || ours == 0 ||
      identity.pid_namespace == ours) {
    if (!Runs(proc_root, identity.pid, identity.start_time_ticks)) {
      return Liveness::kDead;
    }
    return OtherImageRuns(proc_root, identity) ? Liveness::kOtherImage
                                               : Liveness::kAlive;
  }
  if (RunsInNamespace(proc_root, identity)) return Liveness::kAlive;
  return ours == kInitialPidNamespace ? Liveness::kDead : Liveness::kUnknown;
}

ProcessState JudgeState(ProcessState written, Liveness liveness) {
  const bool claims_to_run =
      written == ProcessState::kLive || written == ProcessState::kStarting;
  if (!claims_to_run) return written;
  switch (liveness) {
    case Liveness::kDead:
      return ProcessState::kKilled;
    case Liveness::kOtherImage:
      return ProcessState::kReplaced;
    case Liveness::kAlive:
    case Liveness::kUnknown:
      break;
  }
  return written;
}

}  // namespace heapledger::collector
