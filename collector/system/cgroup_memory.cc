// SPDX-License-Identifier: Apache-2.0
#include "collector/system/cgroup_memory.h"

#include <algorithm>

#include "collector/system/numbers.h"
#include "collector/system/read_file.h"

namespace heapledger::collector {
namespace {

// v1 writes "no limit" as the largest multiple of the page size.
constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 62;

constexpr std::size_t kMaxEvent = 2, kOomKillEvent = 4;
static_assert(kCgroupEventWords[kMaxEvent] == "max");
static_assert(kCgroupEventWords[kOomKillEvent] == "oom_kill");

std::optional<std::uint64_t> ReadNumber(const std::string& path) {
  const auto text = ReadSmallFile(path);
  if (!text.ok()) return std::nullopt;
  std::string_view rest = *text;
  return ParseNumber(NextPart(rest, '\n'));
}

std::string ReadText(const std::string& path) {
  return ReadSmallFile(path).value_or("");
}

std::optional<CgroupMemory> ReadV2(const std::string& directory) {
  const auto current = ReadNumber(directory + "/memory.current");
  if (!current) return std::nullopt;
  CgroupMemory memory;
  memory.current = *current;
  memory.limit = ReadNumber(directory + "/memory.max");  // or "max"
  std::optional<std::uint64_t> inactive;
  ReadNumbers(ReadText(directory + "/memory.stat"),
              {{"inactive_file", &inactive}});
  memory.inactive_file = inactive.value_or(0);
  const std::string events = ReadText(directory + "/memory.events");
  for (std::size_t i = 0; i < kCgroupEventWords.size(); ++i) {
    ReadNumbers(events, {{kCgroupEventWords[i], &memory.events[i]}});
  }
  return memory;
}

std::optional<CgroupMemory> ReadV1(const std::string& directory) {
  const auto current = ReadNumber(directory + "/memory.usage_in_bytes");
  if (!current) return std::nullopt;
  CgroupMemory memory;
  memory.current = *current;
  memory.limit = ReadNumber(directory + "/memory.limit_in_bytes");
  if (memory.limit && *memory.limit >= kNoLimit) memory.limit.reset();
  std::optional<std::uint64_t> inactive;
  // With its children's, as the usage is.
  ReadNumbers(ReadText(directory + "/memory.stat"),
              {{"total_inactive_file", &inactive}});
  memory.inactive_file = inactive.value_or(0);
  memory.events[kMaxEvent] = ReadNumber(directory + "/memory.failcnt");
  std::optional<std::uint64_t> under_oom;
  ReadNumbers(
      ReadText(directory + "/memory.oom_control"),
      {{"oom_kill", &memory.events[kOomKillEvent]}, {"under_oom", &under_oom}});
  if (under_oom) memory.under_oom = *under_oom != 0;
  return memory;
}

}  // namespace

std::optional<std::uint64_t> CgroupMemory::headroom() const {
  if (!limit) return std::nullopt;
  return *limit > working_set() ? *limit - working_set() : 0;
}

std::optional<CgroupMemory> ReadCgroupMemory(CgroupVersion version,
                                             const std::string& directory) {
  return version == CgroupVersion::kV1 ? ReadV1(directory) : ReadV2(directory);
}

CgroupRoom RoomOf(std::span<const CgroupMemory> chain) {
  CgroupRoom room;
  for (const CgroupMemory& group : chain) {
    if (!group.limit) continue;
    room.limit = std::min(*group.limit, room.limit.value_or(*group.limit));
    room.headroom =
        std::min(*group.headroom(), room.headroom.value_or(*group.headroom()));
  }
  return room;
}

}  // namespace heapledger::collector
