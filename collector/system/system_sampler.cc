// SPDX-License-Identifier: Apache-2.0
#include "collector/system/system_sampler.h"

#include <time.h>

#include <algorithm>
#include <unordered_set>

#include "absl/strings/str_cat.h"
#include "collector/system/read_file.h"

namespace heapledger::collector {
namespace {

constexpr std::chrono::seconds kSlowLook{10};
// A walk costs at most a thousandth of the time until the next.
constexpr int kPausePerWalk = 1000;
// How long a cgroup without targets is followed: until every scraper has seen
// what became of the last one.
constexpr std::chrono::minutes kEmptyCgroup{15};
constexpr std::size_t kMaxCgroups = 256;

constexpr std::size_t kGrowthWindow = 1;
static_assert(kGrowthWindows[kGrowthWindow].label == "5m");

std::uint64_t RealtimeNs() {
  timespec now = {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * kSecondNs +
         static_cast<std::uint64_t>(now.tv_nsec);
}

std::uint64_t MonotonicNs(SystemSampler::Clock::time_point time) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(
          time.time_since_epoch())
          .count());
}

}  // namespace

SystemSampler::SystemSampler(SystemOptions options,
                             std::optional<ProcessWatch> watch)
    : options_(std::move(options)), watch_(std::move(watch)) {}

std::shared_ptr<const SystemView> SystemSampler::Sample(
    std::span<const SystemTarget> measured, Clock::time_point now) {
  auto view = std::make_shared<SystemView>();
  view->taken_realtime_ns = RealtimeNs();
  accounts_.clear();
  walked_ = {};
  SampleHost(*view);
  if (now >= next_mounts_) {
    next_mounts_ = now + kSlowLook;
    mounts_ = ParseCgroupMounts(
        ReadSmallFile(options_.root + "/proc/self/mountinfo", 1 << 20)
            .value_or(""));
  }
  for (auto& [key, memory] : memories_) memory.seen = false;
  for (const SystemTarget& target : Targets(measured, now, *view)) {
    if (auto sample = SampleTarget(target, *view, now)) {
      view->targets.push_back(*std::move(sample));
    }
  }
  std::erase_if(memories_, [](const auto& item) { return !item.second.seen; });
  SampleCgroups(now, *view);
  return view;
}

std::vector<SystemTarget> SystemSampler::Targets(
    std::span<const SystemTarget> measured, Clock::time_point now,
    SystemView& view) {
  std::vector<SystemTarget> targets(
      measured.begin(),
      measured.begin() + static_cast<std::ptrdiff_t>(
                             std::min(measured.size(), options_.max_targets)));
  if (!watch_) return targets;
  std::unordered_set<Key, KeyHash> known;
  for (const SystemTarget& target : measured) {
    known.insert({target.pid, target.start_time_ticks});
  }
  for (const WatchedProcess& process : watch_->Find(now)) {
    if (!known.insert({process.pid, process.start_time_ticks}).second) continue;
    ++view.watched;
    if (targets.size() >= options_.max_targets) {
      ++view.watched_dropped;
      continue;
    }
    targets.push_back({.pid = process.pid,
                       .start_time_ticks = process.start_time_ticks,
                       .process = process.name,
                       .heap = {}});
  }
  return targets;
}

void SystemSampler::SampleHost(SystemView& view) {
  const std::string proc = options_.root + "/proc";
  if (const auto text = ReadSmallFile(proc + "/meminfo"); text.ok()) {
    if (const auto memory = ParseMeminfo(*text); memory.ok()) {
      view.memory = *memory;
    }
  }
  if (const auto text = ReadSmallFile(proc + "/vmstat"); text.ok()) {
    view.paging = ParseVmstat(*text);
  }
  if (const auto text = ReadSmallFile(proc + "/pressure/memory"); text.ok()) {
    view.pressure = ParsePressure(*text);
  }
}

std::optional<TargetSample> SystemSampler::SampleTarget(
    const SystemTarget& target, const SystemView& view, Clock::time_point now) {
  const std::string directory =
      absl::StrCat(options_.root, "/proc/", target.pid);
  const auto stat_text = ReadSmallFile(directory + "/stat");
  if (!stat_text.ok()) return std::nullopt;
  const auto stat = ParseStat(*stat_text);
  if (!stat || stat->start_time_ticks != target.start_time_ticks) {
    return std::nullopt;
  }
  const auto status_text = ReadSmallFile(directory + "/status");
  if (!status_text.ok()) return std::nullopt;
  const auto process = ParseStatus(*status_text);
  if (!process) return std::nullopt;

  Memory& memory = memories_[{target.pid, target.start_time_ticks}];
  memory.seen = true;
  memory.resident.Add(
      {MonotonicNs(now), static_cast<double>(process->resident())});
  if (now >= memory.next_slow_look) LookSlowly(directory, memory, now);
  if (now >= memory.next_walk) {
    Walk(directory, target, process->resident(), memory, now);
  }
  TargetSample sample;
  sample.pid = target.pid;
  sample.start_time_ticks = target.start_time_ticks;
  sample.under_shim = target.heap.has_value();
  sample.process = target.process;
  sample.taken_realtime_ns = view.taken_realtime_ns;
  sample.memory = *process;
  sample.minor_faults = stat->minor_faults;
  sample.major_faults = stat->major_faults;
  sample.growth_bytes_per_second = memory.resident.Rates()[kGrowthWindow];
  sample.descriptors = memory.descriptors;
  AddRoom(memory, view, sample);
  if (memory.walk) {
    sample.pages = memory.walk->totals;
    sample.walked_realtime_ns = memory.walked_realtime_ns;
    if (target.heap) {
      sample.parts = SplitResident(*process, memory.walk->areas, *target.heap);
    }
  }
  if (memory.place) {
    Group& group = groups_[memory.place->chain.front()];
    group.place = *memory.place;
    group.last_used = now;
  }
  return sample;
}

void SystemSampler::LookSlowly(const std::string& directory, Memory& memory,
                               Clock::time_point now) {
  memory.next_slow_look = now + kSlowLook;
  memory.descriptors = CountDescriptors(directory);
  memory.address_space_limit =
      ParseAddressSpaceLimit(ReadSmallFile(directory + "/limits").value_or(""));
  memory.place = LocateCgroup(
      mounts_,
      ParseCgroupMembership(ReadSmallFile(directory + "/cgroup").value_or("")),
      options_.root);
}

void SystemSampler::Walk(const std::string& directory,
                         const SystemTarget& target, std::uint64_t resident,
                         Memory& memory, Clock::time_point now) {
  if (walked_ >= options_.walks_per_sample) return;  // in the next sample
  memory.next_walk = now + options_.walk_interval;
  if (resident > options_.walk_below_bytes) {
    // What it was before it grew says nothing of it now.
    memory.walk.reset();
    return;
  }
  const Clock::time_point begin = Clock::now();
  std::optional<PageWalk> walk;
  if (target.heap) {
    auto walked =
        WalkSmaps(directory, target.heap->ledger_file, options_.walk_budget);
    if (walked.ok()) walk = *std::move(walked);
  } else if (const auto totals = ParseSmapsRollup(
                 ReadSmallFile(directory + "/smaps_rollup").value_or(""))) {
    walk.emplace();
    walk->totals = *totals;
  }
  const Clock::duration taken = Clock::now() - begin;
  walked_ += taken;
  memory.next_walk = now + std::max<Clock::duration>(options_.walk_interval,
                                                     kPausePerWalk * taken);
  memory.walk = std::move(walk);
  memory.walked_realtime_ns = RealtimeNs();
}

void SystemSampler::AddRoom(const Memory& memory, const SystemView& view,
                            TargetSample& sample) {
  if (!view.memory) return;
  std::uint64_t limit = view.memory->total;
  std::uint64_t headroom = view.memory->available;
  if (memory.place) {
    std::vector<CgroupMemory> chain;
    for (const std::string& group : memory.place->chain) {
      const auto& account = GroupMemory(memory.place->version, group);
      if (account) chain.push_back(*account);
    }
    const CgroupRoom room = RoomOf(chain);
    limit = std::min(limit, room.limit.value_or(limit));
    headroom = std::min(headroom, room.headroom.value_or(headroom));
  }
  if (const auto most = memory.address_space_limit) {
    const std::uint64_t used = sample.memory.virtual_size;
    limit = std::min(limit, *most);
    headroom = std::min(headroom, *most > used ? *most - used : 0);
  }
  sample.limit = limit;
  sample.headroom = std::min(headroom, limit);
}

const std::optional<CgroupMemory>& SystemSampler::GroupMemory(
    CgroupVersion version, const std::string& directory) {
  const auto [account, added] = accounts_.try_emplace(directory);
  if (added) account->second = ReadCgroupMemory(version, directory);
  return account->second;
}

void SystemSampler::SampleCgroups(Clock::time_point now, SystemView& view) {
  std::erase_if(groups_, [now](const auto& item) {
    return now - item.second.last_used > kEmptyCgroup;
  });
  for (const auto& [directory, group] : groups_) {
    if (view.cgroups.size() >= kMaxCgroups) break;
    CgroupSample sample;
    sample.name = group.place.name;
    // The nearest that has accounts: on v2 a group need not have its own.
    for (const std::string& level : group.place.chain) {
      sample.memory = GroupMemory(group.place.version, level);
      if (sample.memory) break;
    }
    if (!group.place.pressure_directory.empty()) {
      sample.pressure = ParsePressure(
          ReadSmallFile(group.place.pressure_directory + "/memory.pressure")
              .value_or(""));
    }
    if (sample.memory || sample.pressure) {
      view.cgroups.push_back(std::move(sample));
    }
  }
  std::ranges::sort(view.cgroups, {}, &CgroupSample::name);
}

}  // namespace heapledger::collector
