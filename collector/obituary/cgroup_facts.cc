// SPDX-License-Identifier: Apache-2.0
#include "collector/obituary/cgroup_facts.h"

#include <time.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "collector/system/cgroup_memory.h"
#include "collector/system/numbers.h"
#include "collector/system/process_memory.h"
#include "collector/system/read_file.h"

namespace heapledger::collector::obituary {
namespace {

constexpr std::size_t kMaxEvent = 2;
constexpr std::size_t kOomKillEvent = 4;
static_assert(kCgroupEventWords[kMaxEvent] == "max");
static_assert(kCgroupEventWords[kOomKillEvent] == "oom_kill");

// What tells heap from files and the kernel's own.
constexpr std::array<std::string_view, 6> kStatV1 = {
    "total_rss",         "total_cache", "total_shmem",
    "total_mapped_file", "total_swap",  "total_unevictable"};
constexpr std::array<std::string_view, 6> kStatV2 = {"anon",   "file", "shmem",
                                                     "kernel", "slab", "sock"};

std::uint64_t RealtimeNs() {
  timespec now = {};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

std::optional<std::uint64_t> NumberIn(const std::string& path) {
  const auto text = ReadSmallFile(path);
  if (!text.ok()) return std::nullopt;
  std::string_view rest = *text;
  return ParseNumber(NextPart(rest, '\n'));
}

std::vector<CgroupStat> StatOf(const std::string& directory, bool v1) {
  const std::string text =
      ReadSmallFile(directory + "/memory.stat").value_or("");
  std::vector<CgroupStat> stat;
  for (const std::string_view name : v1 ? kStatV1 : kStatV2) {
    std::optional<std::uint64_t> number;
    ReadNumbers(text, {{name, &number}});
    if (number) stat.push_back({std::string(name), *number});
  }
  return stat;
}

// The path in the hierarchy of the `level`th group of the chain.
std::string NameOfLevel(const CgroupPlace& place, std::size_t level) {
  std::string_view name = place.name;
  for (; level > 0 && !name.empty(); --level) {
    name = name.substr(0, name.rfind('/'));
  }
  return name.empty() ? "/" : std::string(name);
}

}  // namespace

std::optional<CgroupPlace> PlaceOf(std::uint32_t pid,
                                   std::uint64_t start_time_ticks,
                                   const std::string& root) {
  const std::string process = absl::StrCat(root, "/proc/", pid);
  const auto membership = ReadSmallFile(process + "/cgroup");
  if (!membership.ok()) return std::nullopt;
  const auto stat = ParseStat(ReadSmallFile(process + "/stat").value_or(""));
  if (!stat || stat->start_time_ticks != start_time_ticks) return std::nullopt;
  const CgroupMounts mounts = ParseCgroupMounts(
      ReadSmallFile(root + "/proc/self/mountinfo", 1 << 20).value_or(""));
  return LocateCgroup(mounts, ParseCgroupMembership(*membership), root);
}

std::optional<CgroupFacts> ReadCgroupFacts(const CgroupPlace& place) {
  CgroupFacts facts;
  facts.realtime_ns = RealtimeNs();
  const bool v1 = place.version == CgroupVersion::kV1;
  facts.version = v1 ? 1 : 2;
  bool found = false;
  for (std::size_t level = 0; level < place.chain.size(); ++level) {
    const std::string& directory = place.chain[level];
    const auto memory = ReadCgroupMemory(place.version, directory);
    // Its own group is gone: what is left is somebody else's.
    if (!memory && level == 0 &&
        !ReadSmallFile(directory + "/cgroup.procs").ok()) {
      return std::nullopt;
    }
    if (!memory) continue;
    if (memory->limit) {
      facts.limits.push_back({NameOfLevel(place, level), *memory->limit});
    }
    if (found) continue;
    found = true;  // the nearest that has accounts
    facts.cgroup = NameOfLevel(place, level);
    facts.usage_bytes = memory->current;
    facts.failures = memory->events[kMaxEvent];
    facts.oom_kills = memory->events[kOomKillEvent];
    facts.peak_bytes = NumberIn(
        directory + (v1 ? "/memory.max_usage_in_bytes" : "/memory.peak"));
    facts.stat = StatOf(directory, v1);
  }
  if (!found) return std::nullopt;
  return facts;
}

}  // namespace heapledger::collector::obituary
