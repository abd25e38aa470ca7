// SPDX-License-Identifier: Apache-2.0
// What /proc says of one process' memory, from files that are cheap to read:
// status, stat, limits, the number of descriptors. All figures of memory come
// from one read of status, so that they are of one moment.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace heapledger::collector {

// In bytes. Of statm the same: resident, size, shared, text, data; its lib has
// been 0 since Linux 2.6, where status still knows it.
struct ProcessMemory {
  std::uint64_t anonymous = 0;  // resident, as the next two
  std::uint64_t file = 0;
  std::uint64_t shmem = 0;
  std::uint64_t virtual_size = 0;
  std::uint64_t peak_resident = 0;
  std::uint64_t swap = 0;
  std::uint64_t text = 0;  // mapped, of the executable
  std::uint64_t lib = 0;   // mapped code of everything else
  std::uint64_t data = 0;  // mapped writable and private, stack included

  [[nodiscard]] std::uint64_t resident() const {
    return anonymous + file + shmem;
  }
  [[nodiscard]] std::uint64_t shared() const { return file + shmem; }
};

struct StatFields {
  std::string comm;
  char state = '?';
  std::uint64_t minor_faults = 0;
  std::uint64_t major_faults = 0;
  std::uint64_t start_time_ticks = 0;
};

// Of /proc/PID/status. None for a kernel thread and for a process that has
// given its memory back already.
[[nodiscard]] std::optional<ProcessMemory> ParseStatus(std::string_view text);
// Of /proc/PID/stat.
[[nodiscard]] std::optional<StatFields> ParseStat(std::string_view text);
// RLIMIT_AS (soft) of /proc/PID/limits; none where it is unlimited.
[[nodiscard]] std::optional<std::uint64_t> ParseAddressSpaceLimit(
    std::string_view text);
// Open descriptors of the process in `directory` (/proc/PID).
[[nodiscard]] std::optional<std::uint64_t> CountDescriptors(
    const std::string& directory);

}  // namespace heapledger::collector
