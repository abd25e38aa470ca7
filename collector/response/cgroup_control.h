// SPDX-License-Identifier: Apache-2.0
// What can be asked of the cgroup that a program is in. It concerns all that
// are in there, so it is refused for the root and for our own group.
//
// Thread safety: any thread, several at once.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collector/response/action.h"
#include "collector/system/cgroup_paths.h"

namespace heapledger::collector::response {

// Statuses: FailedPrecondition and Unimplemented for what is not to be done
// here at all, with the reason; others for what went wrong.
class CgroupControl {
 public:
  // Of the process whose /proc/PID/cgroup this is, as of the mounts of the
  // process that we are. `root` is that of the file system, for tests.
  [[nodiscard]] static absl::StatusOr<CgroupControl> Of(
      const std::string& membership, const std::string& root = "");

  // Sets the limit beyond which the group is slowed down. What was there
  // before, for RestoreHigh().
  [[nodiscard]] absl::StatusOr<std::string> SetHigh(
      const MemoryHighAction& action) const;
  // `token` is what SetHigh() gave; the group need not have any process left.
  // A limit that somebody else has set since stays.
  [[nodiscard]] static absl::Status RestoreHigh(const std::string& token);

  // Has the kernel take memory from the group. How much was asked for; none
  // for all.
  [[nodiscard]] absl::StatusOr<std::optional<std::uint64_t>> Reclaim(
      const ReclaimAction& action) const;

  [[nodiscard]] const CgroupPlace& place() const { return place_; }

 private:
  explicit CgroupControl(CgroupPlace place) : place_(std::move(place)) {}

  CgroupPlace place_;
};

}  // namespace heapledger::collector::response
