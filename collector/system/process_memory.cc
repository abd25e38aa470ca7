// SPDX-License-Identifier: Apache-2.0
#include "collector/system/process_memory.h"

#include <dirent.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <memory>

#include "collector/system/numbers.h"

namespace heapledger::collector {

std::optional<ProcessMemory> ParseStatus(std::string_view text) {
  std::optional<std::uint64_t> anonymous, file, shmem, size, peak, swap, text_,
      lib, data, stack;
  ReadNumbers(text, {{"RssAnon", &anonymous},
                     {"RssFile", &file},
                     {"RssShmem", &shmem},
                     {"VmSize", &size},
                     {"VmHWM", &peak},
                     {"VmSwap", &swap},
                     {"VmExe", &text_},
                     {"VmLib", &lib},
                     {"VmData", &data},
                     {"VmStk", &stack}});
  if (!anonymous || !file || !shmem || !size) return std::nullopt;
  return ProcessMemory{.anonymous = *anonymous,
                       .file = *file,
                       .shmem = *shmem,
                       .virtual_size = *size,
                       .peak_resident = peak.value_or(0),
                       .swap = swap.value_or(0),
                       .text = text_.value_or(0),
                       .lib = lib.value_or(0),
                       .data = data.value_or(0) + stack.value_or(0)};
}

std::optional<StatFields> ParseStat(std::string_view text) {
  // "pid (comm) S ppid …": comm may hold blanks and parentheses itself.
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos ||
      close < open) {
    return std::nullopt;
  }
  // Counted as in proc(5), where the state is field 3.
  constexpr int kState = 3, kMinorFaults = 10, kMajorFaults = 12,
                kStartTime = 22;
  StatFields stat;
  stat.comm = text.substr(open + 1, close - open - 1);
  std::string_view rest = text.substr(close + 1);
  for (int field = kState; field <= kStartTime; ++field) {
    const std::string_view word = NextWord(rest);
    if (word.empty()) return std::nullopt;
    if (field == kState) stat.state = word.front();
    const auto number = ParseNumber(word);
    if (field == kMinorFaults) stat.minor_faults = number.value_or(0);
    if (field == kMajorFaults) stat.major_faults = number.value_or(0);
    if (field != kStartTime) continue;
    if (!number) return std::nullopt;
    stat.start_time_ticks = *number;
  }
  return stat;
}

std::optional<std::uint64_t> ParseAddressSpaceLimit(std::string_view text) {
  constexpr std::string_view kName = "Max address space ";
  while (!text.empty()) {
    std::string_view line = NextPart(text, '\n');
    if (!line.starts_with(kName)) continue;
    line.remove_prefix(kName.size());
    return ParseNumber(NextWord(line));
  }
  return std::nullopt;
}

std::optional<std::uint64_t> CountDescriptors(const std::string& directory) {
  const std::string path = directory + "/fd";
  struct stat status = {};
  struct statfs file_system = {};
  // From Linux 6.2 on procfs gives the number as the directory's size, before
  // that 0.
  if (::statfs(path.c_str(), &file_system) == 0 &&
      file_system.f_type == PROC_SUPER_MAGIC &&
      ::stat(path.c_str(), &status) == 0 && status.st_size > 0) {
    return static_cast<std::uint64_t>(status.st_size);
  }
  const std::unique_ptr<DIR, int (*)(DIR*)> fds(::opendir(path.c_str()),
                                                ::closedir);
  if (fds == nullptr) return std::nullopt;
  std::uint64_t count = 0;
  while (const dirent* const entry = ::readdir(fds.get())) {
    if (entry->d_name[0] != '.') ++count;
  }
  return count;
}

}  // namespace heapledger::collector
