// SPDX-License-Identifier: Apache-2.0
// The accounts of memory of one cgroup, v1 and v2 alike, and what a chain of
// them leaves to a process.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "collector/system/cgroup_paths.h"

namespace heapledger::collector {

// By index into CgroupMemory::events.
inline constexpr std::array<std::string_view, 5> kCgroupEventWords = {
    "low", "high", "max", "oom", "oom_kill"};

struct CgroupMemory {
  std::optional<std::uint64_t> limit;  // in bytes; none where there is no limit
  std::uint64_t current = 0;
  std::uint64_t inactive_file = 0;
  // What the kernel counts; of v1 only max (failcnt) and oom_kill.
  std::array<std::optional<std::uint64_t>, kCgroupEventWords.size()> events{};
  // v1 only: tasks are stopped for want of memory, where its killer is off.
  std::optional<bool> under_oom{};

  // What counts against the limit and cannot just be dropped.
  [[nodiscard]] std::uint64_t working_set() const {
    return current > inactive_file ? current - inactive_file : 0;
  }
  // None without a limit.
  [[nodiscard]] std::optional<std::uint64_t> headroom() const;
};

// None for a directory without accounts: the root of v2, a group that the
// controller is not given to, or one that is gone.
[[nodiscard]] std::optional<CgroupMemory> ReadCgroupMemory(
    CgroupVersion version, const std::string& directory);

// Of the groups of one chain that have accounts, own first.
struct CgroupRoom {
  std::optional<std::uint64_t> limit;     // the smallest
  std::optional<std::uint64_t> headroom;  // the smallest; may be another's
};

[[nodiscard]] CgroupRoom RoomOf(std::span<const CgroupMemory> chain);

}  // namespace heapledger::collector
