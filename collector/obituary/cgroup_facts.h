// SPDX-License-Identifier: Apache-2.0
// What a memory cgroup says of itself around a death, v1 and v2 alike: read
// when somebody died in it or is about to, never with every sample.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "collector/system/cgroup_paths.h"

namespace heapledger::collector::obituary {

// A group of the chain that has a limit, own group first.
struct CgroupLimit {
  std::string cgroup;  // path in the hierarchy
  std::uint64_t limit_bytes = 0;
};

// A figure of memory.stat, by the kernel's name for it.
struct CgroupStat {
  std::string name;
  std::uint64_t bytes = 0;
};

struct CgroupFacts {
  std::uint64_t realtime_ns = 0;
  std::string cgroup;
  int version = 0;  // 1 or 2
  std::vector<CgroupLimit> limits;
  std::uint64_t usage_bytes = 0;
  std::optional<std::uint64_t> peak_bytes;  // v1, and v2 since Linux 5.19
  // How often a limit was met (failcnt, or "max" of memory.events) and how many
  // were killed for it.
  std::optional<std::uint64_t> failures;
  std::optional<std::uint64_t> oom_kills;
  std::vector<CgroupStat> stat;  // with its children's
};

// Where the process is; none where no memory cgroup can be seen, or another
// process has the pid.
[[nodiscard]] std::optional<CgroupPlace> PlaceOf(std::uint32_t pid,
                                                 std::uint64_t start_time_ticks,
                                                 const std::string& root = "");

// None where the group is gone.
[[nodiscard]] std::optional<CgroupFacts> ReadCgroupFacts(
    const CgroupPlace& place);

}  // namespace heapledger::collector::obituary
