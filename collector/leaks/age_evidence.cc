// SPDX-License-Identifier: Apache-2.0
#include "collector/leaks/age_evidence.h"

#include <algorithm>
#include <vector>

namespace heapledger::collector {
namespace {

constexpr std::size_t kMinimumBuckets = 8;

std::uint64_t Above(std::uint64_t value, std::uint64_t taken) {
  return value - std::min(value, taken);
}

}  // namespace

std::optional<AgeEvidence> AgeBetween(const HeapCounters& begin,
                                      const HeapCounters& middle,
                                      const HeapCounters& end,
                                      std::uint64_t window_ns,
                                      std::uint64_t since_middle_ns) {
  AgeEvidence age;
  age.window_ns = window_ns;
  age.allocated_objects = end.allocated_objects - begin.allocated_objects;
  age.freed_objects = end.freed_objects - begin.freed_objects;
  age.kept_objects = Above(age.allocated_objects, age.freed_objects);
  age.older_than_ns = since_middle_ns;
  age.older_objects = Above(end.live_objects(),
                            end.allocated_objects - middle.allocated_objects);
  age.older_bytes =
      Above(end.live_bytes(), end.allocated_bytes - middle.allocated_bytes);
  const bool stays = age.allocated_objects > 0 &&
                     age.kept_objects >= age.allocated_objects / 10 * 9;
  const bool old = age.older_objects >= end.live_objects() / 4;
  if (!stays || !old) return std::nullopt;
  return age;
}

std::optional<AgeEvidence> AgeOf(const FloorHistory& history,
                                 std::size_t tier) {
  const std::vector<FloorBucket> buckets = history.Buckets(tier);
  if (buckets.size() < kMinimumBuckets) return std::nullopt;
  const std::size_t last = buckets.size() - 1;
  const std::uint64_t width = history.width_ns(tier);
  return AgeBetween(buckets.front().end, buckets[last - last / 2].end,
                    buckets.back().end, last * width, last / 2 * width);
}

}  // namespace heapledger::collector
