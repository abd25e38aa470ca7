// SPDX-License-Identifier: Apache-2.0
#include "collector/leaks/floor_history.h"

#include <algorithm>

namespace heapledger::collector {

std::size_t FloorHistory::Add(std::uint64_t time_ns,
                              const HeapCounters& counters) {
  if (begun_ && time_ns <= newest_ns_) return 0;
  std::size_t closed = 0;
  for (std::size_t i = 0; i < kTiers; ++i) {
    Tier& tier = tiers_[i];
    const std::uint64_t slot = time_ns / width_ns(i);
    if (!begun_ || slot != tier.open.slot) {
      if (begun_) {
        Close(tier);
        closed = i + 1;
      }
      tier.open = {slot, counters.live_bytes(), counters.live_objects(),
                   counters.live_bytes(), counters};
    }
    tier.open.bytes = std::min(tier.open.bytes, counters.live_bytes());
    tier.open.objects = std::min(tier.open.objects, counters.live_objects());
    tier.open.peak_bytes =
        std::max(tier.open.peak_bytes, counters.live_bytes());
    tier.open.end = counters;
  }
  newest_ns_ = time_ns;
  begun_ = true;
  return closed;
}

void FloorHistory::Close(Tier& tier) {
  if (tier.size == kBuckets) {
    tier.begin = (tier.begin + 1) % kBuckets;
    --tier.size;
  }
  tier.ring[(tier.begin + tier.size) % kBuckets] = tier.open;
  ++tier.size;
}

std::vector<FloorBucket> FloorHistory::Buckets(std::size_t tier_index) const {
  const Tier& tier = tiers_[tier_index];
  std::vector<FloorBucket> buckets;
  buckets.reserve(tier.size);
  for (std::size_t i = 0; i < tier.size; ++i) {
    const FloorBucket& bucket = tier.ring[(tier.begin + i) % kBuckets];
    if (!buckets.empty() && bucket.slot != buckets.back().slot + 1) {
      buckets.clear();
    }
    buckets.push_back(bucket);
  }
  return buckets;
}

std::optional<std::uint64_t> FloorHistory::HighestBefore(
    std::size_t tier_index, std::uint64_t time_ns) const {
  const Tier& tier = tiers_[tier_index];
  std::optional<std::uint64_t> highest;
  for (std::size_t i = 0; i < tier.size; ++i) {
    const FloorBucket& bucket = tier.ring[(tier.begin + i) % kBuckets];
    if ((bucket.slot + 1) * width_ns(tier_index) > time_ns) break;
    highest = std::max(highest.value_or(0), bucket.bytes);
  }
  return highest;
}

std::optional<std::uint64_t> FloorHistory::PeakBefore(
    std::uint64_t time_ns) const {
  std::optional<std::uint64_t> highest;
  for (std::size_t i = 0; i < kTiers; ++i) {
    const Tier& tier = tiers_[i];
    for (std::size_t j = 0; j < tier.size; ++j) {
      const FloorBucket& bucket = tier.ring[(tier.begin + j) % kBuckets];
      if ((bucket.slot + 1) * width_ns(i) > time_ns) break;
      highest = std::max(highest.value_or(0), bucket.peak_bytes);
    }
  }
  return highest;
}

std::uint64_t FloorHistory::PeakSince(std::size_t tier_index,
                                      std::uint64_t time_ns) const {
  const Tier& tier = tiers_[tier_index];
  std::uint64_t highest = tier.open.peak_bytes;
  for (std::size_t i = tier.size; i-- > 0;) {
    const FloorBucket& bucket = tier.ring[(tier.begin + i) % kBuckets];
    if ((bucket.slot + 1) * width_ns(tier_index) <= time_ns) break;
    highest = std::max(highest, bucket.peak_bytes);
  }
  return highest;
}

}  // namespace heapledger::collector
