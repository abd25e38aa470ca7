// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/live_process.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <climits>
#include <fstream>
#include <memory>
#include <sstream>
#include <vector>

#include "symbolizer/debug_paths.h"

namespace heapledger::symbolizer {
namespace {

// Of the fields that follow the command name in /proc/PID/stat.
constexpr std::size_t kStartTimeField = 22 - 3;

constexpr char kProc[] = "/proc/";

std::string ReadLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::uint64_t StartTimeOf(const std::string& proc) {
  // "pid (comm) S ppid …"; comm may hold blanks and parentheses itself.
  const std::string line = ReadLine(proc + "/stat");
  const std::size_t close = line.rfind(')');
  if (close == std::string::npos) return 0;
  std::istringstream fields(line.substr(close + 1));
  std::string field;
  for (std::size_t i = 0; i <= kStartTimeField; ++i) {
    if (!(fields >> field)) return 0;
  }
  std::uint64_t ticks = 0;
  std::from_chars(field.data(), field.data() + field.size(), ticks);
  return ticks;
}

std::uint64_t PidNamespaceOf(const std::string& proc) {
  struct stat status {};
  if (stat((proc + "/ns/pid").c_str(), &status) != 0) return 0;
  return status.st_ino;
}

// The last number of "NSpid:", that of the innermost namespace.
std::int64_t InnermostPid(const std::string& proc) {
  std::ifstream file(proc + "/status");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("NSpid:")) continue;
    const std::size_t at = line.find_last_of(" \t") + 1;
    std::int64_t pid = 0;
    std::from_chars(line.data() + at, line.data() + line.size(), pid);
    return pid;
  }
  return 0;
}

struct Mapping {
  std::string addresses;  // "start-end", as map_files names it
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::string path;
};

// The mappings of files.
std::vector<Mapping> ReadMappings(const std::string& proc) {
  std::ifstream file(proc + "/maps");
  std::vector<Mapping> mappings;
  for (std::string line; std::getline(file, line);) {
    const std::size_t slash = line.find('/');
    const std::size_t blank = line.find(' ');
    if (slash == std::string::npos || blank > slash) continue;
    Mapping mapping;
    mapping.addresses = line.substr(0, blank);
    mapping.path = line.substr(slash);
    const char* const end = line.data() + blank;
    const auto dash = std::from_chars(line.data(), end, mapping.start, 16);
    if (dash.ptr == end) continue;
    std::from_chars(dash.ptr + 1, end, mapping.end, 16);
    mappings.push_back(std::move(mapping));
  }
  return mappings;
}

std::string TargetOf(const std::string& link) {
  std::array<char, PATH_MAX> path;
  const ssize_t size = readlink(link.c_str(), path.data(), path.size());
  return size <= 0 ? "" : std::string(path.data(), static_cast<size_t>(size));
}

}  // namespace

LiveProcess::LiveProcess(std::int64_t pid)
    : proc_(kProc + std::to_string(pid)) {}

std::int64_t LiveProcess::Find(std::int64_t pid, std::uint64_t pid_namespace,
                               std::uint64_t start_time_ticks) {
  const std::uint64_t ours = PidNamespaceOf("/proc/self");
  if (pid_namespace == 0 || ours == 0 || pid_namespace == ours) {
    const std::string proc = kProc + std::to_string(pid);
    return StartTimeOf(proc) == start_time_ticks ? pid : 0;
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(kProc), closedir);
  if (directory == nullptr) return 0;
  while (const dirent* const entry = readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    std::int64_t candidate = 0;
    const auto parsed =
        std::from_chars(name.data(), name.data() + name.size(), candidate);
    if (parsed.ec != std::errc() || parsed.ptr != name.data() + name.size()) {
      continue;
    }
    const std::string proc = kProc + std::string(name);
    if (StartTimeOf(proc) == start_time_ticks &&
        PidNamespaceOf(proc) == pid_namespace && InnermostPid(proc) == pid) {
      return candidate;
    }
  }
  return 0;
}

std::string LiveProcess::exe() const { return TargetOf(exe_link()); }

std::string LiveProcess::working_directory() const {
  return TargetOf(proc_ + "/cwd");
}

std::string LiveProcess::MappedFile(std::uint64_t start, std::uint64_t end,
                                    std::string_view path) const {
  for (const Mapping& mapping : ReadMappings(proc_)) {
    if (mapping.start >= start && mapping.start < end &&
        StripDeleted(mapping.path) == StripDeleted(path)) {
      return proc_ + "/map_files/" + mapping.addresses;
    }
  }
  return "";
}

std::string LiveProcess::MappedPathOf(std::string_view name) const {
  for (const Mapping& mapping : ReadMappings(proc_)) {
    if (Basename(mapping.path) == name) return mapping.path;
  }
  return "";
}

}  // namespace heapledger::symbolizer
