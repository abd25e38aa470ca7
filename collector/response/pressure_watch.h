// SPDX-License-Identifier: Apache-2.0
// The kernel's own words on pressure, so that nobody has to wait for the next
// look: triggers on pressure stall information (of the host, and of cgroups of
// v2), memory.events of v2, and memory.pressure_level of cgroups of v1.
//
// What the kernel does not have or does not let us have is left out; looking
// every so often finds the same a little later.
//
// Thread safety: one thread at a time; Wake() from any.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/response/descriptor.h"
#include "collector/response/reading.h"
#include "collector/system/cgroup_paths.h"

namespace heapledger::collector::response {

// Opens `path` (/proc/pressure/memory or a cgroup's memory.pressure) so that
// POLLPRI comes when some task has waited for `share` of a window of 1 s, or of
// 2 s where that is all that may be had: without CAP_SYS_RESOURCE.
[[nodiscard]] absl::StatusOr<Descriptor> OpenStallTrigger(
    const std::string& path, double share);

class PressureWatch {
 public:
  // How long a word of the kernel counts.
  static constexpr Duration kHolds = std::chrono::seconds(2);

  // `share`: of the time, at which a stall is worth a look. `root` is that of
  // the file system, for tests.
  explicit PressureWatch(double share, std::string root = "");

  // These groups are watched from now on, and the host.
  void Follow(const std::vector<CgroupPlace>& places);

  // Waits for a word of the kernel, for Wake(), or for so long.
  void Wait(std::chrono::nanoseconds patience);
  void Wake();

  // Of a group of v1: 1 low, 2 medium, 3 critical; none where nothing was said
  // of late.
  [[nodiscard]] std::optional<double> Reclaim(const CgroupPlace& place) const;

  // Sources that are watched, for tests and for the log.
  [[nodiscard]] std::size_t sources() const { return sources_.size(); }

 private:
  using Clock = std::chrono::steady_clock;
  struct Source {
    Descriptor file;
    short events = 0;    // of poll()
    int grade = 0;       // v1's; 0: a trigger
    std::string group;   // v1's directory
    Descriptor level{};  // v1: the file that the event is of
  };

  void AddStall(const std::string& path);
  void AddEvents(const std::string& path);
  void AddLevels(const std::string& directory);
  void Take(const Source& source, Clock::time_point now);

  const double share_;
  const std::string root_;
  Descriptor wake_;
  std::map<std::string, Source> sources_;  // by a name of it
  std::set<std::string> refused_;          // that cannot be had
  std::map<std::string, std::map<int, Clock::time_point>> reclaim_;
};

}  // namespace heapledger::collector::response
