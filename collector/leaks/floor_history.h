// SPDX-License-Identifier: Apache-2.0
// The floor of a callsite over time: what its live bytes never went below,
// bucket by bucket, and the peaks beside them. Work that comes and goes does
// not move a floor; what is kept does. Tiers of ever wider buckets hold minutes
// finely and a day coarsely in memory that does not grow.
//
//   tier      0     1     2      3      4     (base width 8 s)
//   bucket    8 s   32 s  2m08   8m32   34m08
//   all 48    6m24  25m36 1h42   6h49   27h18
//
// Thread safety: one thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "collector/ledger/history.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector {

// 80 bytes; the five tiers of a callsite take 20 KB.
struct FloorBucket {
  std::uint64_t slot = 0;  // its begin over the tier's bucket width
  std::uint64_t bytes = 0;
  std::uint64_t objects = 0;
  std::uint64_t peak_bytes = 0;
  HeapCounters end;  // since the start, at the bucket's end
};

class FloorHistory {
 public:
  static constexpr std::size_t kTiers = 5;
  static constexpr std::uint64_t kTierFactor = 4;
  // A dozen windows of up to four buckets.
  static constexpr std::size_t kBuckets = 48;
  // At one sample a second eight samples make a floor, and the finest tier
  // spans what a person waits for.
  static constexpr std::uint64_t kBaseWidthNs = 8 * kSecondNs;

  explicit FloorHistory(std::uint64_t base_width_ns = kBaseWidthNs)
      : base_width_ns_(base_width_ns) {}

  // Times must not go back; a sample that does is left out. Returns how many
  // tiers, from the finest on, have a bucket more than before.
  std::size_t Add(std::uint64_t time_ns, const HeapCounters& counters);

  // Finished buckets, oldest first, without gaps: what lies before a time in
  // which nobody looked is left out.
  [[nodiscard]] std::vector<FloorBucket> Buckets(std::size_t tier) const;

  // The highest floor of the finished buckets that ended before `time_ns`.
  [[nodiscard]] std::optional<std::uint64_t> HighestBefore(
      std::size_t tier, std::uint64_t time_ns) const;

  // The highest peak of the buckets that ended before `time_ns`, in any tier.
  [[nodiscard]] std::optional<std::uint64_t> PeakBefore(
      std::uint64_t time_ns) const;

  // The highest peak since about `time_ns`, the unfinished bucket's included; 0
  // before the first sample.
  [[nodiscard]] std::uint64_t PeakSince(std::size_t tier,
                                        std::uint64_t time_ns) const;

  [[nodiscard]] std::uint64_t width_ns(std::size_t tier) const {
    std::uint64_t width = base_width_ns_;
    while (tier-- > 0) width *= kTierFactor;
    return width;
  }
  [[nodiscard]] std::uint64_t newest_ns() const { return newest_ns_; }

 private:
  struct Tier {
    std::array<FloorBucket, kBuckets> ring;
    std::size_t begin = 0;
    std::size_t size = 0;
    FloorBucket open;  // not in the ring
  };

  static void Close(Tier& tier);

  std::uint64_t base_width_ns_;
  std::uint64_t newest_ns_ = 0;
  bool begun_ = false;
  std::array<Tier, kTiers> tiers_{};
};

}  // namespace heapledger::collector
