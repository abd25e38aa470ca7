// SPDX-License-Identifier: Apache-2.0
// Looks at the host and at processes, and remembers what takes time to know:
// growth, the last walk over a process' pages, cgroups that are empty.
//
// What it costs: per process and sample two small files (stat, status), per
// cgroup five. Limits, descriptors and membership are read every ten seconds.
// Pages are walked at most once a minute, only below a size, within a budget
// per sample, and never more than a thousandth of the time.
//
// Thread safety: one thread at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "collector/ledger/growth.h"
#include "collector/system/cgroup_paths.h"
#include "collector/system/system_view.h"
#include "collector/system/watch.h"

namespace heapledger::collector {

struct SystemOptions {
  std::string root;  // of the file system, before /proc and /sys; for tests
  std::size_t max_targets = 256;
  // Larger processes are not walked: it holds their memory map for too long.
  std::uint64_t walk_below_bytes = std::uint64_t{2} << 30;
  std::chrono::nanoseconds walk_interval{std::chrono::seconds(60)};
  // One walk is given up after this; no further one starts in the sample.
  std::chrono::nanoseconds walk_budget{std::chrono::milliseconds(200)};
  std::chrono::nanoseconds walks_per_sample{std::chrono::milliseconds(20)};
};

class SystemSampler {
 public:
  using Clock = std::chrono::steady_clock;

  SystemSampler(SystemOptions options, std::optional<ProcessWatch> watch);

  // `measured` are the processes under the shim; they come before the watched
  // ones where there are too many.
  [[nodiscard]] std::shared_ptr<const SystemView> Sample(
      std::span<const SystemTarget> measured, Clock::time_point now);

 private:
  using Key = std::pair<std::uint32_t, std::uint64_t>;  // pid, start time
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      return std::hash<std::uint64_t>()(key.second * 0x9e3779b97f4a7c15 +
                                        key.first);
    }
  };
  struct Memory {  // of a target, from sample to sample
    GrowthMeter resident;
    Clock::time_point next_slow_look{};
    std::optional<std::uint64_t> address_space_limit;
    std::optional<std::uint64_t> descriptors;
    std::optional<CgroupPlace> place;
    Clock::time_point next_walk{};
    std::uint64_t walked_realtime_ns = 0;
    std::optional<PageWalk> walk;
    bool seen = false;
  };
  struct Group {  // a cgroup with targets
    CgroupPlace place;
    Clock::time_point last_used{};
  };

  std::vector<SystemTarget> Targets(std::span<const SystemTarget> measured,
                                    Clock::time_point now, SystemView& view);
  void SampleHost(SystemView& view);
  std::optional<TargetSample> SampleTarget(const SystemTarget& target,
                                           const SystemView& view,
                                           Clock::time_point now);
  void LookSlowly(const std::string& directory, Memory& memory,
                  Clock::time_point now);
  void Walk(const std::string& directory, const SystemTarget& target,
            std::uint64_t resident, Memory& memory, Clock::time_point now);
  void AddRoom(const Memory& memory, const SystemView& view,
               TargetSample& sample);
  const std::optional<CgroupMemory>& GroupMemory(CgroupVersion version,
                                                 const std::string& directory);
  void SampleCgroups(Clock::time_point now, SystemView& view);

  const SystemOptions options_;
  std::optional<ProcessWatch> watch_;
  CgroupMounts mounts_;
  Clock::time_point next_mounts_{};
  std::unordered_map<Key, Memory, KeyHash> memories_;
  std::unordered_map<std::string, Group> groups_;  // by own directory
  // Of the sample under way: parents are shared by many.
  std::unordered_map<std::string, std::optional<CgroupMemory>> accounts_;
  std::chrono::nanoseconds walked_{};
};

}  // namespace heapledger::collector
