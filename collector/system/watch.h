// SPDX-License-Identifier: Apache-2.0
// Processes to look at that are not under the shim, by name or pid.
//
// Thread safety: one thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace heapledger::collector {

struct WatchedProcess {
  std::uint32_t pid = 0;
  std::uint64_t start_time_ticks = 0;
  std::string name;  // as it was asked for; of a pid, the program's

  friend bool operator==(const WatchedProcess&,
                         const WatchedProcess&) = default;
};

class ProcessWatch {
 public:
  // `words` are names (a command's or an executable's last part) and pids. An
  // error for a pid that nobody has.
  static absl::StatusOr<ProcessWatch> Make(
      const std::vector<std::string>& words, const std::string& proc_root);

  // The processes that run, the ones found first before the later ones. Looks
  // for new ones no more often than costs one per cent of the time.
  [[nodiscard]] const std::vector<WatchedProcess>& Find(
      std::chrono::steady_clock::time_point now);

 private:
  explicit ProcessWatch(std::string proc_root)
      : proc_root_(std::move(proc_root)) {}

  void Search();
  // Empty where no name fits.
  [[nodiscard]] std::string NameFor(std::string_view comm,
                                    const std::string& directory) const;

  std::string proc_root_;
  std::vector<std::string> names_;
  std::vector<WatchedProcess> found_;
  std::chrono::steady_clock::time_point next_search_{};
};

}  // namespace heapledger::collector
