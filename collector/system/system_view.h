// SPDX-License-Identifier: Apache-2.0
// What one look at the system found: plain values, immutable once made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "collector/system/cgroup_memory.h"
#include "collector/system/host_memory.h"
#include "collector/system/pressure.h"
#include "collector/system/process_memory.h"
#include "collector/system/resident_parts.h"
#include "collector/system/smaps.h"

namespace heapledger::collector {

// A process that is looked at, as the samples before know it or not.
struct SystemTarget {
  std::uint32_t pid = 0;
  std::uint64_t start_time_ticks = 0;
  std::string process;              // the label
  std::optional<HeapFigures> heap;  // of one under the shim
};

struct TargetSample {
  std::uint32_t pid = 0;
  std::uint64_t start_time_ticks = 0;
  bool under_shim = false;
  std::string process;
  std::uint64_t taken_realtime_ns = 0;
  ProcessMemory memory;
  std::uint64_t minor_faults = 0;
  std::uint64_t major_faults = 0;
  // Slope of the resident bytes over 5 minutes; none before a third of them.
  std::optional<double> growth_bytes_per_second;
  std::optional<std::uint64_t> descriptors;
  // What the process can come to: its cgroups', RLIMIT_AS or the host's. None
  // where the host's memory is not known.
  std::optional<std::uint64_t> limit;
  std::optional<std::uint64_t> headroom;  // at most limit
  // Of the last walk over its pages; none before the first.
  std::optional<PageTotals> pages;
  std::uint64_t walked_realtime_ns = 0;
  std::optional<ResidentParts> parts;  // under the shim, after a walk

  // Share of the limit that is used.
  [[nodiscard]] std::optional<double> usage_ratio() const {
    if (!limit || !headroom || *limit == 0) return std::nullopt;
    return 1 - static_cast<double>(*headroom) / static_cast<double>(*limit);
  }
};

// A cgroup that has targets, or had until some minutes ago: the kill that ended
// the last one is counted after it is gone.
struct CgroupSample {
  std::string name;
  std::optional<CgroupMemory> memory;
  std::optional<MemoryPressure> pressure;
};

struct SystemView {
  std::uint64_t taken_realtime_ns = 0;  // 0: nobody has looked yet
  std::optional<HostMemory> memory;
  std::optional<HostPaging> paging;
  std::optional<MemoryPressure> pressure;
  std::vector<TargetSample> targets;
  std::vector<CgroupSample> cgroups;
  std::size_t watched = 0;          // that are not under the shim and run
  std::size_t watched_dropped = 0;  // of these, above the cap
};

}  // namespace heapledger::collector
