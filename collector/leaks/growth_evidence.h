// SPDX-License-Identifier: Apache-2.0
// Growth as evidence of a leak: a callsite's floor that rose all along a
// window, and that nothing but a leak explains so far.
//
// Judged are twelve floors of one tier of a FloorHistory. In this order,
//   too early   fewer than 24 buckets of the tier, or too short a window
//   flat        Mann-Kendall sees no rise, or there is next to none
//   uneven      in some quarter of the window the level below which the
//               callsite never went again did not rise: steps, one burst, and
//               every sawtooth, batch or day that fits the window
//   flattening  it rises ever more slowly: a warm-up, a cache that fills
//   seen before floors as high lie before the window, or peaks without any in
//               the window, and it came back from them: the way up of a long
//               period
//   with load   blocks come and go, and the floor rose no more than the rate
//               of allocations did
//   growing     none of these
// What a window cannot tell: the way up of a period that was never seen to end
// looks like a leak for as long as it lasts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "collector/leaks/floor_history.h"

namespace heapledger::collector {

enum class GrowthShape {
  kTooEarly,
  kFlat,
  kUneven,
  kFlattening,
  kSeenBefore,
  kWithLoad,
  kGrowing,
};

// One lower-case word each, as JSON has them.
[[nodiscard]] std::string_view ShapeWord(GrowthShape shape);

// What was looked at: floors, which swings do not move, or live bytes at the
// moments of a few snapshots, which they do.
enum class GrowthBasis { kFloors, kMoments };

struct GrowthEvidence {
  GrowthBasis basis = GrowthBasis::kFloors;
  std::uint64_t window_ns = 0;
  double bytes_per_second = 0;  // Theil-Sen over the floors
  double objects_per_second = 0;
  // With moments for floors where that is the basis:
  std::uint64_t floor_bytes = 0;  // the last floor
  std::uint64_t rise_bytes = 0;   // from the first floor to the last
  std::uint64_t rise_objects = 0;
  std::size_t rounds = 0;       // floors but the first
  std::size_t rounds_rose = 0;  // that lie above the one before
  double score = 0;             // Mann-Kendall's, in standard deviations
  // Within the window, from its first to its second third and from there to the
  // last: equal where it is steady, the second smaller where it slows down.
  double early_rise_bytes = 0;
  double late_rise_bytes = 0;

  // If it goes on like this.
  [[nodiscard]] double bytes_in_an_hour() const {
    return bytes_per_second * 3600;
  }
  // Seconds until the process, now at `live_bytes`, has `limit_bytes`; none
  // where it never will.
  [[nodiscard]] std::optional<double> SecondsTo(std::uint64_t limit_bytes,
                                                std::uint64_t live_bytes) const;
};

struct GrowthOptions {
  // No word on windows that are shorter: every program grows for a while.
  std::uint64_t minimum_window_ns = 180 * kSecondNs;
  std::uint64_t minimum_rise_bytes = 1024;
  // The last buckets of the tier that are looked at: multiples of twelve.
  std::size_t minimum_buckets = 24;
  std::size_t most_buckets = FloorHistory::kBuckets;
  // Of the mean rise of the first three quarters: what each quarter must have.
  double quarter_share = 0.2;
};

struct GrowthJudgement {
  GrowthShape shape = GrowthShape::kTooEarly;
  GrowthEvidence evidence;  // figures of every shape but kTooEarly
};

[[nodiscard]] GrowthJudgement JudgeGrowth(const FloorHistory& history,
                                          std::size_t tier,
                                          const GrowthOptions& options);

}  // namespace heapledger::collector
