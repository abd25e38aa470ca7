// SPDX-License-Identifier: Apache-2.0
// Reads, of all programs that a rule fits, what the conditions of response are
// about. It looks by itself, as it looks far more often than the samplers for
// metrics do; what takes long to know (growth, suspects) it takes from them.
//
// Thread safety: one thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "collector/exporter/host_source.h"
#include "collector/exporter/system_source.h"
#include "collector/leaks/host_leaks.h"
#include "collector/response/engine.h"
#include "collector/response/increase.h"
#include "collector/response/pressure_watch.h"
#include "collector/response/target_scout.h"
#include "collector/system/system_sampler.h"

namespace heapledger::collector::cli {

class ResponseReader {
 public:
  using Clock = std::chrono::steady_clock;

  // The pointers must outlive this object.
  ResponseReader(const HostSource* source, const SystemSource* system,
                 const HostLeaks* leaks, response::PressureWatch* watch);

  // Also tells `watch` which cgroups matter now.
  std::vector<response::TargetReading> Read(const response::Rules& rules,
                                            Clock::time_point now);

 private:
  struct Group {
    response::Increase some{std::chrono::seconds(1)};
    response::Increase full{std::chrono::seconds(1)};
    response::Increase hits{std::chrono::seconds(10)};
    bool seen = false;
  };
  using Found = std::map<response::TargetKey, response::TargetScout::Facts>;

  Found Find(const response::Rules& rules, Clock::time_point now);
  void FollowGroups(const SystemView& view, Clock::time_point now);
  response::Reading ReadingOf(const TargetSample& sample,
                              const response::TargetScout::Facts& facts) const;
  void AddLedgerFigures(std::vector<response::TargetReading>& readings) const;

  const HostSource* const source_;
  const SystemSource* const system_;
  const HostLeaks* const leaks_;
  response::PressureWatch* const watch_;
  response::TargetScout scout_;
  SystemSampler sampler_;
  // By a cgroup's name; the host's is empty.
  std::map<std::string, Group> groups_;
};

}  // namespace heapledger::collector::cli
