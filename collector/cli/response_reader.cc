// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/response_reader.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <unordered_map>
#include <utility>

namespace heapledger::collector::cli {
namespace {

using response::Quantity;
using response::Reading;
using response::TargetKey;
using response::TargetReading;

constexpr double kMicrosecond = 1000;  // in nanoseconds

// Walks over pages are the other sampler's.
SystemOptions WithoutWalks() {
  SystemOptions options;
  options.walk_below_bytes = 0;
  return options;
}

TargetKey KeyOf(std::uint32_t pid, std::uint64_t start) { return {pid, start}; }

std::uint64_t HitsOf(const CgroupMemory& memory) {
  // max and, of v2, high: both slow the group down.
  return memory.events[1].value_or(0) + memory.events[2].value_or(0);
}
static_assert(kCgroupEventWords[1] == "high");
static_assert(kCgroupEventWords[2] == "max");

void AddTrend(const TrendView& trend, Reading& reading) {
  reading[Quantity::kExhaustion] = trend.exhaustion_seconds;
}

}  // namespace

ResponseReader::ResponseReader(const HostSource* source,
                               const SystemSource* system,
                               const HostLeaks* leaks,
                               response::PressureWatch* watch)
    : source_(source),
      system_(system),
      leaks_(leaks),
      watch_(watch),
      sampler_(WithoutWalks(), std::nullopt) {}

ResponseReader::Found ResponseReader::Find(const response::Rules& rules,
                                           Clock::time_point now) {
  Found found;
  for (const TargetSample& sample : system_->view()->targets) {
    const TargetKey key = KeyOf(sample.pid, sample.start_time_ticks);
    const auto& facts = scout_.Of(key, sample.process, sample.under_shim, now);
    if (rules.For(facts.target) != nullptr) found[key] = facts;
  }
  scout_.Forget();
  return found;
}

std::vector<TargetReading> ResponseReader::Read(const response::Rules& rules,
                                                Clock::time_point now) {
  const Found found = Find(rules, now);
  std::vector<SystemTarget> targets;
  std::vector<CgroupPlace> places;
  for (const auto& [key, facts] : found) {
    targets.push_back({.pid = key.pid,
                       .start_time_ticks = key.start_time_ticks,
                       .process = facts.target.process,
                       .heap = {}});
    if (facts.place) places.push_back(*facts.place);
  }
  watch_->Follow(places);
  const auto view = sampler_.Sample(targets, now);
  FollowGroups(*view, now);
  std::vector<TargetReading> readings;
  for (const TargetSample& sample : view->targets) {
    const auto facts = found.find(KeyOf(sample.pid, sample.start_time_ticks));
    if (facts == found.end()) continue;
    readings.push_back(
        {facts->second.target, ReadingOf(sample, facts->second)});
  }
  AddLedgerFigures(readings);
  return readings;
}

void ResponseReader::FollowGroups(const SystemView& view,
                                  Clock::time_point now) {
  const response::Time time = now.time_since_epoch();
  const auto add = [&](const std::string& name,
                       const std::optional<MemoryPressure>& pressure,
                       const std::optional<CgroupMemory>& memory) {
    Group& group = groups_[name];
    group.seen = true;
    if (pressure) {
      group.some.Add(time, pressure->some_us);
      group.full.Add(time, pressure->full_us);
    }
    if (memory) group.hits.Add(time, HitsOf(*memory));
  };
  add("", view.pressure, std::nullopt);
  for (const CgroupSample& sample : view.cgroups) {
    add(sample.name, sample.pressure, sample.memory);
  }
  for (auto it = groups_.begin(); it != groups_.end();) {
    it = std::exchange(it->second.seen, false) ? std::next(it)
                                               : groups_.erase(it);
  }
}

Reading ResponseReader::ReadingOf(
    const TargetSample& sample,
    const response::TargetScout::Facts& facts) const {
  Reading reading;
  reading[Quantity::kUsage] = sample.usage_ratio();
  reading[Quantity::kGrowth] = sample.growth_bytes_per_second;
  reading.used_bytes = sample.memory.resident();
  if (sample.limit && sample.headroom) {
    reading.limit_bytes = *sample.limit;
    reading.used_bytes = *sample.limit - *sample.headroom;
    reading[Quantity::kHeadroom] = static_cast<double>(*sample.headroom);
  }
  if (!facts.place) return reading;
  const auto group = groups_.find(facts.place->name);
  if (group != groups_.end()) {
    reading[Quantity::kLimitHits] = group->second.hits.amount();
  }
  // Its own group's where the kernel has it, else the host's.
  const auto stalls =
      facts.place->pressure_directory.empty() ? groups_.find("") : group;
  if (stalls != groups_.end()) {
    if (const auto rate = stalls->second.some.rate()) {
      reading[Quantity::kStall] = *rate * kMicrosecond;
    }
    if (const auto rate = stalls->second.full.rate()) {
      reading[Quantity::kStallFull] = *rate * kMicrosecond;
    }
  }
  reading[Quantity::kReclaim] = watch_->Reclaim(*facts.place);
  return reading;
}

// What the samplers of ledgers know: live bytes, forecasts, suspects.
void ResponseReader::AddLedgerFigures(
    std::vector<TargetReading>& readings) const {
  const auto host = source_->host();
  const auto leaks = leaks_->view();
  std::unordered_map<std::uint32_t, const LedgerSnapshot*> ledgers;
  for (const auto& process : host->processes) {
    ledgers[process->snapshot->identity.pid] = process->snapshot.get();
  }
  const auto residents = leaks_->residents().view();
  for (auto& [target, reading] : readings) {
    const auto ledger = ledgers.find(target.key.pid);
    if (ledger == ledgers.end()) {
      const auto trend =
          std::ranges::find(*residents, target.key.pid, &ResidentTrend::pid);
      if (trend != residents->end()) AddTrend(trend->trend, reading);
      continue;
    }
    reading.live_bytes = ledger->second->totals.live_bytes();
    const auto known = leaks->find(ledger->second->lineage);
    if (known == leaks->end()) continue;
    AddTrend(known->second->trend, reading);
    double suspected = 0;
    for (const Suspect& suspect : known->second->suspects) {
      if (suspect.state == SuspectState::kSuppressed) continue;
      suspected += static_cast<double>(suspect.callsite.counters.live_bytes());
    }
    reading[Quantity::kSuspects] = suspected;
  }
}

}  // namespace heapledger::collector::cli
