// SPDX-License-Identifier: Apache-2.0
// What a process is: its executable, its cgroup, whether it runs Python. Looked
// up once and then every ten seconds, as cgroups can be changed.
//
// Thread safety: one thread at a time.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "collector/response/reading.h"
#include "collector/system/cgroup_paths.h"

namespace heapledger::collector::response {

class TargetScout {
 public:
  using Clock = std::chrono::steady_clock;

  explicit TargetScout(std::string root = "") : root_(std::move(root)) {}

  struct Facts {
    Target target;
    std::optional<CgroupPlace> place;
  };

  // The reference holds until Forget().
  const Facts& Of(const TargetKey& key, const std::string& process,
                  bool under_shim, Clock::time_point now);
  // Those that nobody asked for since the last call.
  void Forget();

 private:
  struct Known {
    Facts facts;
    Clock::time_point next{};
    bool asked = false;
  };

  void Look(Known& known);

  const std::string root_;
  std::map<TargetKey, Known> known_;
  CgroupMounts mounts_;
  Clock::time_point next_mounts_{};
};

}  // namespace heapledger::collector::response
