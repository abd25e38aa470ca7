// SPDX-License-Identifier: Apache-2.0
// Which directories of the cgroup file systems are a process' own: v1 with its
// hierarchy for memory, v2, or both beside each other (hybrid: v1 has the
// memory controller, v2 the pressure).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace heapledger::collector {

enum class CgroupVersion { kV1, kV2 };

struct CgroupMount {
  std::string mount_point;
  std::string root;  // the cgroup that is mounted there
};

struct CgroupMounts {
  std::optional<CgroupMount> v1_memory;
  std::optional<CgroupMount> v2;
};

// Where a process is.
struct CgroupMembership {
  std::optional<std::string> v1_memory;
  std::optional<std::string> v2;

  friend bool operator==(const CgroupMembership&,
                         const CgroupMembership&) = default;
};

struct CgroupPlace {
  CgroupVersion version = CgroupVersion::kV2;
  std::string name;  // its path in the hierarchy
  // Directories with the accounts of memory: its own first, then its parents'.
  std::vector<std::string> chain;
  // The v2 directory, which has the pressure; empty where v2 has no such group.
  std::string pressure_directory;
};

// Of /proc/self/mountinfo.
[[nodiscard]] CgroupMounts ParseCgroupMounts(std::string_view mountinfo);
// Of /proc/PID/cgroup.
[[nodiscard]] CgroupMembership ParseCgroupMembership(std::string_view text);

// None where no hierarchy is mounted that has the process: a path outside what
// is mounted, or one that climbs out with "..", is nobody's.
[[nodiscard]] std::optional<CgroupPlace> LocateCgroup(
    const CgroupMounts& mounts, const CgroupMembership& membership,
    const std::string& file_system_root);

}  // namespace heapledger::collector
