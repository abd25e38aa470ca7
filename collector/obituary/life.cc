// SPDX-License-Identifier: Apache-2.0
#include "collector/obituary/life.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "collector/leaks/leaks_json.h"
#include "collector/leaks/reason.h"
#include "collector/obituary/verdict.h"
#include "collector/obituary/words.h"

namespace heapledger::collector::obituary {
namespace {

// Of the largest callsites, how many may ask for a column with each look.
constexpr std::size_t kAskers = 8;
constexpr std::size_t kPressureCallsites = 10;
constexpr std::size_t kMaxPressure = 8;
constexpr std::size_t kMaxSuspectEvents = 32;
constexpr std::size_t kMaxOthers = 10;
// A process is moved to another cgroup at its start, if ever.
constexpr std::uint64_t kPlaceIntervalNs = 30'000'000'000;
// What the kernel has chosen may take that long to go, if nobody lets it run.
constexpr std::uint64_t kDyingNs = 10'000'000'000;
constexpr std::uint64_t kNsPerMs = 1'000'000;

const TargetSample* TargetOf(const SystemView& system,
                             const LedgerIdentity& who) {
  const auto found =
      std::ranges::find_if(system.targets, [&who](const TargetSample& target) {
        return target.pid == who.pid &&
               target.start_time_ticks == who.start_time_ticks;
      });
  return found == system.targets.end() ? nullptr : &*found;
}

const CgroupSample* GroupOf(const SystemView& system,
                            const std::optional<CgroupPlace>& place) {
  if (!place) return nullptr;
  const auto found =
      std::ranges::find(system.cgroups, place->name, &CgroupSample::name);
  return found == system.cgroups.end() ? nullptr : &*found;
}

// Of the processes that were looked at, the largest.
std::vector<BigProcess> LargestBut(std::uint32_t pid,
                                   const SystemView& system) {
  std::vector<BigProcess> others;
  for (const TargetSample& target : system.targets) {
    if (target.pid == pid) continue;
    others.push_back(
        {target.process, target.pid, target.memory.resident(), false});
  }
  std::ranges::sort(others, std::greater(), &BigProcess::resident_bytes);
  if (others.size() > kMaxOthers) others.resize(kMaxOthers);
  return others;
}

}  // namespace

std::optional<HostState> HostStateOf(const SystemView& view) {
  if (!view.memory) return std::nullopt;
  HostState state;
  state.realtime_ns = view.taken_realtime_ns;
  state.total_bytes = view.memory->total;
  state.available_bytes = view.memory->available;
  state.swap_total_bytes = view.memory->swap_total;
  state.swap_free_bytes = view.memory->swap_free;
  if (view.pressure) {
    state.stalled_some_us = view.pressure->some_us;
    state.stalled_full_us = view.pressure->full_us;
  }
  return state;
}

bool Life::Look(std::shared_ptr<const ProcessView> view,
                const Surroundings& surroundings) {
  view_ = std::move(view);
  const std::uint64_t now_ns = surroundings.realtime_ns;
  if (first_look_ns_ == 0) first_look_ns_ = now_ns;
  last_look_ns_ = now_ns;
  if (surroundings.leaks != nullptr &&
      (leaks_ == nullptr || !surroundings.leaks->suspects.empty() ||
       leaks_->suspects.empty())) {
    leaks_ = surroundings.leaks;
    LookAtSuspects(now_ns);
  }
  system_ = surroundings.system;
  if (const TargetSample* const target =
          TargetOf(*system_, view_->snapshot->identity)) {
    resident_bytes_ = target->memory.resident();
  }
  LookAtPlace(*system_, now_ns);
  AddRow(*view_, now_ns);
  return LookForPressure(*system_, now_ns);
}

// Limits and statistics once in a while, what counts at the end every time.
void Life::LookAtPlace(const SystemView& system, std::uint64_t now_ns) {
  const LedgerIdentity& who = view_->snapshot->identity;
  if (now_ns >= next_place_ns_) {
    next_place_ns_ = now_ns + kPlaceIntervalNs;
    if (auto place = PlaceOf(who.pid, who.start_time_ticks)) {
      place_ = std::move(place);
    }
    if (place_) {
      if (auto facts = ReadCgroupFacts(*place_)) cgroup_ = std::move(facts);
    }
  }
  if (cgroup_) {
    // A kill that it has outlived by so much was another's.
    const bool equal =
        survived_cgroup_ && survived_cgroup_->oom_kills == cgroup_->oom_kills;
    if (equal) {
      survived_cgroup_->realtime_ns = now_ns;
    } else if (!survived_cgroup_ ||
               now_ns > survived_cgroup_->realtime_ns + kDyingNs) {
      survived_cgroup_ = cgroup_;
      survived_cgroup_->realtime_ns = now_ns;
    }
  }
  const CgroupSample* const group = GroupOf(system, place_);
  if (!cgroup_ || group == nullptr || !group->memory) return;
  if (system.taken_realtime_ns < cgroup_->realtime_ns) return;
  constexpr std::size_t kMaxEvent = 2;
  constexpr std::size_t kOomKillEvent = 4;
  cgroup_->realtime_ns = system.taken_realtime_ns;
  cgroup_->usage_bytes = group->memory->current;
  cgroup_->failures = group->memory->events[kMaxEvent];
  cgroup_->oom_kills = group->memory->events[kOomKillEvent];
}

void Life::LookAtSuspects(std::uint64_t now_ns) {
  for (const Suspect& suspect : leaks_->suspects) {
    if (suspects_.size() == kMaxSuspectEvents) return;
    if (!suspects_.insert(suspect.callsite.fingerprint.value()).second) {
      continue;
    }
    const Figures figures =
        leaks_->snapshot->estimated() ? Figures::kEstimated : Figures::kExact;
    std::string why;
    if (suspect.growth) {
      why = ReasonOf(*suspect.growth, figures);
    } else if (suspect.unreachable) {
      why = ReasonOf(*suspect.unreachable);
    }
    events_.push_back({now_ns, "suspect",
                       absl::StrCat(suspect.callsite.name.function, " (",
                                    suspect.callsite.name.Location(),
                                    ") became a leak suspect: ", why)});
  }
}

// A large callsite without a column gets one, or that of the smallest where it
// is twice as large as that.
void Life::Admit(const ProcessView& view) {
  const std::size_t askers = std::min(view.top.size(), kAskers);
  for (std::size_t i = 0; i < askers; ++i) {
    const CallsiteView& callsite = view.top[i];
    const std::uint64_t key = callsite.fingerprint.value();
    if (std::ranges::find(callsite_keys_, key) != callsite_keys_.end()) {
      continue;
    }
    const CallsiteColumn column = {callsite.fingerprint.ToString(),
                                   callsite.name.function, callsite.name.module,
                                   callsite.name.file, callsite.name.line};
    if (callsites_.size() < kMaxCallsites) {
      callsites_.push_back(column);
      callsite_keys_.push_back(key);
      continue;
    }
    const std::vector<std::uint64_t>& last = series_.last().values;
    const auto smallest =
        std::ranges::min_element(last.begin() + kFixedColumns, last.end());
    if (callsite.counters.live_bytes() / 2 <= *smallest) continue;
    const auto place =
        static_cast<std::size_t>(smallest - (last.begin() + kFixedColumns));
    series_.Clear(kFixedColumns + place);
    callsites_[place] = column;
    callsite_keys_[place] = key;
  }
}

void Life::AddRow(const ProcessView& view, std::uint64_t realtime_ns) {
  // With a column for each callsite the smallest can be told from the last row.
  if (series_.columns() == kFixedColumns + callsites_.size() ||
      callsites_.size() < kMaxCallsites) {
    Admit(view);
  }
  row_.assign(kFixedColumns + callsites_.size(), 0);
  const auto set = [this](Column column, std::uint64_t value) {
    row_[static_cast<std::size_t>(column)] = value;
  };
  set(Column::kLive, view.snapshot->totals.live_bytes());
  set(Column::kObjects, view.snapshot->totals.live_objects());
  set(Column::kResident, resident_bytes_);
  set(Column::kCgroup, cgroup_ ? cgroup_->usage_bytes : 0);
  for (const CallsiteView& callsite : view.top) {
    const auto column =
        std::ranges::find(callsite_keys_, callsite.fingerprint.value());
    if (column == callsite_keys_.end()) continue;
    row_[kFixedColumns +
         static_cast<std::size_t>(column - callsite_keys_.begin())] =
        callsite.counters.live_bytes();
  }
  series_.Add(realtime_ns / kNsPerMs, row_);
}

void Life::AddLast(const ProcessView& view, std::uint64_t died_realtime_ns) {
  AddRow(view, std::max(died_realtime_ns, last_look_ns_));
}

bool Life::LookForPressure(const SystemView& system, std::uint64_t now_ns) {
  const TargetSample* const target =
      TargetOf(system, view_->snapshot->identity);
  if (target == nullptr) return false;
  const double ratio = target->usage_ratio().value_or(0);
  if (ratio < kCalmRatio) level_ = 0;
  const std::size_t before = level_;
  while (level_ < std::size(kPressure) && ratio >= kPressure[level_]) ++level_;
  if (level_ == before) return false;
  PressureSample sample;
  sample.realtime_ns = now_ns;
  sample.usage_ratio = ratio;
  sample.threshold = kPressure[level_ - 1];
  sample.limit_bytes = target->limit.value_or(0);
  sample.resident_bytes = target->memory.resident();
  sample.live_bytes = view_->snapshot->totals.live_bytes();
  sample.top = TopOf(*view_, kPressureCallsites);
  // The statistics of now: by the time of the death the group may be gone.
  if (place_) {
    if (auto facts = ReadCgroupFacts(*place_)) cgroup_ = std::move(facts);
  }
  if (pressure_.size() == kMaxPressure) pressure_.erase(pressure_.begin());
  pressure_.push_back(std::move(sample));
  return true;
}

void Life::Tell(FrameNames& names, Obituary& obituary) const {
  obituary.watched_since_ns = first_look_ns_;
  obituary.cgroup_before = cgroup_;
  if (survived_cgroup_) {
    obituary.cgroup_before->oom_kills = survived_cgroup_->oom_kills;
  }
  if (system_ != nullptr) {
    obituary.host_before = HostStateOf(*system_);
    obituary.others = LargestBut(view_->snapshot->identity.pid, *system_);
  }
  obituary.last_resident_bytes = resident_bytes_;
  obituary.pressure = pressure_;
  obituary.events = events_;
  for (const PressureSample& sample : pressure_) {
    obituary.events.push_back(
        {sample.realtime_ns, "pressure",
         absl::StrCat(absl::StrFormat("%.0f", 100 * sample.usage_ratio),
                      " % of its limit of ",
                      BytesText(static_cast<double>(sample.limit_bytes)),
                      " was used; live heap ",
                      BytesText(static_cast<double>(sample.live_bytes)))});
  }
  if (leaks_ != nullptr) obituary.suspects = LeaksJson(*leaks_, names);
  obituary.callsites = callsites_;
  obituary.history = series_.Rows();
  // A callsite that was admitted with the last look has its column all the
  // same.
  for (SeriesRow& row : obituary.history) {
    row.values.resize(kFixedColumns + callsites_.size());
  }
}

}  // namespace heapledger::collector::obituary
