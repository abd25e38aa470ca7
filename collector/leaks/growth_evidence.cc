// SPDX-License-Identifier: Apache-2.0
#include "collector/leaks/growth_evidence.h"

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "collector/leaks/trend.h"
#include "collector/ledger/growth.h"

namespace heapledger::collector {
namespace {

constexpr std::size_t kWindows = 12;
static_assert(FloorHistory::kBuckets % kWindows == 0);

// A chance of one in a thousand without a trend. There are hundreds of
// judgements an hour: the other gates must do their part.
constexpr double kMinimumScore = 3.1;
// The last third's rise over the middle one's: a leak's is about 1, that of a
// cache that fills as an exponential falls below this after 0.86 time
// constants.
constexpr double kFlatteningRatio = 0.75;
// Below this the curve bends if the rises themselves fall, window by window, by
// this score: two in a hundred without a trend.
constexpr double kSteadyRatio = 0.97;
constexpr double kBendScore = 2;
// Of the rise, what a higher load must account for.
constexpr double kExplainedShare = 0.33;

double MedianOf(std::span<const double> values) {
  std::vector<double> sorted(values.begin(), values.end());
  std::ranges::sort(sorted);
  const std::size_t middle = sorted.size() / 2;
  return sorted.size() % 2 != 0 ? sorted[middle]
                                : (sorted[middle] + sorted[middle - 1]) / 2;
}

struct Windows {
  std::array<double, kWindows> bytes;
  std::array<double, kWindows> objects;
  std::uint64_t width_ns = 0;
};

// The floors of twelve windows, each of as many buckets.
Windows WindowsOf(std::span<const FloorBucket> buckets,
                  std::uint64_t bucket_width_ns) {
  Windows windows;
  const std::size_t per_window = buckets.size() / kWindows;
  windows.width_ns = bucket_width_ns * per_window;
  for (std::size_t i = 0; i < kWindows; ++i) {
    const auto part = buckets.subspan(i * per_window, per_window);
    windows.bytes[i] = static_cast<double>(
        std::ranges::min(part, {}, &FloorBucket::bytes).bytes);
    windows.objects[i] = static_cast<double>(
        std::ranges::min(part, {}, &FloorBucket::objects).objects);
  }
  return windows;
}

double SlopeOf(std::span<const double> floors, std::uint64_t width_ns) {
  std::array<Sample, kWindows> samples;
  for (std::size_t i = 0; i < floors.size(); ++i) {
    samples[i] = {i * width_ns, floors[i]};
  }
  return TheilSenSlope(samples).value_or(0);
}

// Whether the level that was never gone below again rose in each quarter. The
// last one is too high where a swing is under way, so it counts for no mean.
bool RoseInEachQuarter(std::span<const FloorBucket> buckets, double share) {
  std::vector<double> level(buckets.size());
  double lowest = static_cast<double>(buckets.back().bytes);
  for (std::size_t i = buckets.size(); i-- > 0;) {
    lowest = std::min(lowest, static_cast<double>(buckets[i].bytes));
    level[i] = lowest;
  }
  const std::size_t quarter = buckets.size() / 4;
  const double mean = (level[3 * quarter] - level[0]) / 3;
  if (mean <= 0) return false;
  for (std::size_t i = 0; i < 4; ++i) {
    const double end = i == 3 ? level.back() : level[(i + 1) * quarter];
    if (end - level[i * quarter] < share * mean) return false;
  }
  return true;
}

double ThirdOf(std::span<const double> floors, std::size_t i) {
  return MedianOf(floors.subspan(i * kWindows / 3, kWindows / 3));
}

bool Flattens(std::span<const double> floors, const GrowthEvidence& evidence) {
  const double before = evidence.early_rise_bytes;
  const double after = evidence.late_rise_bytes;
  if (after < kFlatteningRatio * before) return true;
  if (after > kSteadyRatio * before) return false;
  std::array<double, kWindows - 1> rises;
  for (std::size_t i = 0; i < rises.size(); ++i) {
    rises[i] = floors[i + 1] - floors[i];
  }
  return MannKendallScore(rises) < -kBendScore;
}

// Whether it stood as high before the window began and came back.
bool StoodBefore(const FloorHistory& history, std::size_t tier,
                 std::uint64_t begin_ns, double floor) {
  for (std::size_t i = tier; i < FloorHistory::kTiers; ++i) {
    const auto before = history.HighestBefore(i, begin_ns);
    if (before && floor <= static_cast<double>(*before)) return true;
  }
  return false;
}

// Whether it was as high before the window began without being so in its first
// three quarters: a rise that is part of one swing, not one over several.
bool PeakedBefore(const FloorHistory& history,
                  std::span<const FloorBucket> buckets, std::uint64_t begin_ns,
                  double floor) {
  const auto before = history.PeakBefore(begin_ns);
  if (!before || floor > static_cast<double>(*before)) return false;
  const auto early = buckets.first(buckets.size() / 4 * 3);
  const std::uint64_t peak =
      std::ranges::max(early, {}, &FloorBucket::peak_bytes).peak_bytes;
  return static_cast<double>(peak) < floor;
}

// Whether blocks come and go, and more of them by as much as the floor rose.
bool RisesWithLoad(std::span<const FloorBucket> buckets,
                   std::span<const double> floors) {
  const auto allocated = [buckets](std::size_t from, std::size_t to) {
    return static_cast<double>(buckets[to].end.allocated_objects -
                               buckets[from].end.allocated_objects);
  };
  const auto freed = static_cast<double>(buckets.back().end.freed_objects -
                                         buckets.front().end.freed_objects);
  const std::size_t last = buckets.size() - 1;
  if (freed < allocated(0, last) / 2) return false;
  const std::size_t quarter = buckets.size() / 4;
  const double load_before = allocated(0, quarter);
  if (load_before <= 0) return false;
  const double floor_before = MedianOf(floors.first(kWindows / 4));
  const double floor_after = MedianOf(floors.last(kWindows / 4));
  const double explained =
      floor_before * (allocated(last - quarter, last) / load_before - 1);
  return explained >= kExplainedShare * (floor_after - floor_before);
}

std::uint64_t RiseOf(std::span<const double> floors) {
  return static_cast<std::uint64_t>(
      std::max(floors.back() - floors.front(), 0.0));
}

GrowthShape ShapeOf(const FloorHistory& history, std::size_t tier,
                    std::span<const FloorBucket> buckets,
                    const Windows& windows, const GrowthEvidence& evidence,
                    const GrowthOptions& options) {
  if (evidence.score < kMinimumScore ||
      evidence.rise_bytes < options.minimum_rise_bytes ||
      evidence.bytes_per_second <= 0) {
    return GrowthShape::kFlat;
  }
  if (!RoseInEachQuarter(buckets, options.quarter_share)) {
    return GrowthShape::kUneven;
  }
  if (Flattens(windows.bytes, evidence)) return GrowthShape::kFlattening;
  const std::uint64_t begin_ns = buckets.front().slot * history.width_ns(tier);
  if (StoodBefore(history, tier, begin_ns, windows.bytes.back()) ||
      PeakedBefore(history, buckets, begin_ns, windows.bytes.back())) {
    return GrowthShape::kSeenBefore;
  }
  if (RisesWithLoad(buckets, windows.bytes)) return GrowthShape::kWithLoad;
  return GrowthShape::kGrowing;
}

}  // namespace

std::string_view ShapeWord(GrowthShape shape) {
  switch (shape) {
    case GrowthShape::kTooEarly:
      return "too-early";
    case GrowthShape::kFlat:
      return "flat";
    case GrowthShape::kUneven:
      return "uneven";
    case GrowthShape::kFlattening:
      return "flattening";
    case GrowthShape::kSeenBefore:
      return "seen-before";
    case GrowthShape::kWithLoad:
      return "with-load";
    case GrowthShape::kGrowing:
      return "growing";
  }
  return "";
}

std::optional<double> GrowthEvidence::SecondsTo(
    std::uint64_t limit_bytes, std::uint64_t live_bytes) const {
  if (live_bytes >= limit_bytes) return 0;
  if (bytes_per_second <= 0) return std::nullopt;
  return static_cast<double>(limit_bytes - live_bytes) / bytes_per_second;
}

GrowthJudgement JudgeGrowth(const FloorHistory& history, std::size_t tier,
                            const GrowthOptions& options) {
  GrowthJudgement judgement;
  const std::vector<FloorBucket> all = history.Buckets(tier);
  const std::size_t count =
      std::min(all.size(), options.most_buckets) / kWindows * kWindows;
  const std::uint64_t window_ns = count * history.width_ns(tier);
  if (count < options.minimum_buckets ||
      window_ns < options.minimum_window_ns) {
    return judgement;
  }
  const auto buckets = std::span(all).last(count);
  const Windows windows = WindowsOf(buckets, history.width_ns(tier));
  GrowthEvidence& evidence = judgement.evidence;
  evidence.window_ns = window_ns;
  evidence.rounds = kWindows - 1;
  evidence.rounds_rose = Rises(windows.bytes);
  evidence.floor_bytes = static_cast<std::uint64_t>(windows.bytes.back());
  evidence.rise_bytes = RiseOf(windows.bytes);
  evidence.rise_objects = RiseOf(windows.objects);
  evidence.score = MannKendallScore(windows.bytes);
  // Most callsites are flat, and slopes cost most.
  if (evidence.score >= kMinimumScore) {
    evidence.bytes_per_second = SlopeOf(windows.bytes, windows.width_ns);
    evidence.objects_per_second = SlopeOf(windows.objects, windows.width_ns);
    const double middle = ThirdOf(windows.bytes, 1);
    evidence.early_rise_bytes = middle - ThirdOf(windows.bytes, 0);
    evidence.late_rise_bytes = ThirdOf(windows.bytes, 2) - middle;
  }
  judgement.shape = ShapeOf(history, tier, buckets, windows, evidence, options);
  return judgement;
}

}  // namespace heapledger::collector
