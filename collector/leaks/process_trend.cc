// SPDX-License-Identifier: Apache-2.0
#include "collector/leaks/process_trend.h"

#include <algorithm>
#include <cmath>

namespace heapledger::collector {
namespace {

constexpr double kHourNs = 3600e9;
// A tooth or a burst lasts for minutes.
constexpr std::uint64_t kMinimumWindowNs = 450 * kSecondNs;
constexpr std::uint64_t kMinimumLookNs = 1200 * kSecondNs;
constexpr double kReach = 3;
// For how long a forecast must be made before it is given, judgements that miss
// it for less than the other left out.
constexpr std::uint64_t kPatienceNs = 120 * kSecondNs;
constexpr std::uint64_t kForgivenNs = 40 * kSecondNs;
// What was seen is held to for as long, unless the memory comes back.
constexpr std::uint64_t kHoldNs = 300 * kSecondNs;
// Higher than for callsites: within an onset the first quarter is flat.
constexpr double kQuarterShare = 0.5;
// Judgements in a row before a window counts.
constexpr std::size_t kStreak = 2;
// Steadier growth than in the window of a callsite, see CallsiteWatch.
constexpr double kNewRise = 1.1;
// Peaks count for as long: two teeth of twenty minutes.
constexpr std::uint64_t kSwingNs = 2400 * kSecondNs;
constexpr std::size_t kSwingTier = 2;

// Growth that slows down is more common than one that does not: even if it does
// so by this much more than was measured, it must get there.
constexpr double kDoubt = 0.85;
// Whose end is judged apart from its middle: shorter ones have too few floors.
constexpr std::uint64_t kCurveWindowNs = 1800 * kSecondNs;
constexpr double kMostCurve = 2.5;

}  // namespace

std::optional<double> SecondsToAdd(const GrowthEvidence& growth, double bytes) {
  if (growth.bytes_per_second <= 0 || growth.early_rise_bytes <= 0 ||
      growth.late_rise_bytes <= 0) {
    return std::nullopt;
  }
  const double third = static_cast<double>(growth.window_ns) / 3e9;
  const double ratio = growth.late_rise_bytes / growth.early_rise_bytes;
  double rate = growth.bytes_per_second;
  if (ratio > 1 && growth.window_ns >= kCurveWindowNs) {
    rate = std::max(rate, growth.late_rise_bytes / third *
                              std::sqrt(std::min(ratio, kMostCurve)));
  }
  // Each third adds `next` of what the one before added.
  const auto sum = [rate, third](double next) {
    return rate * third * next / (1 - next);
  };
  const double doubted = ratio * kDoubt;
  if (doubted < 1 && bytes >= sum(doubted)) return std::nullopt;
  if (ratio >= 1) return bytes / rate;
  return third * std::log(1 - bytes / sum(ratio)) / std::log(ratio);
}

void ProcessTrend::AddResident(std::uint64_t time_ns, std::uint64_t bytes,
                               std::optional<std::uint64_t> headroom_bytes) {
  HeapCounters counters;
  counters.allocated_bytes = bytes;
  Add(time_ns, counters, headroom_bytes);
}

void ProcessTrend::Add(std::uint64_t time_ns, const HeapCounters& counters,
                       std::optional<std::uint64_t> headroom_bytes) {
  if (first_ns_ == 0) first_ns_ = time_ns;
  const std::size_t closed = history_.Add(time_ns, counters);
  if (closed == 0) return;
  for (std::size_t tier = 0; tier < closed; ++tier) Judge(tier);
  const GrowthEvidence* const seen = Longest();
  if (seen != nullptr) {
    growth_ = *seen;
    growth_until_ns_ = time_ns + kHoldNs;
  }
  const bool came_back =
      counters.live_bytes() < growth_.floor_bytes - growth_.rise_bytes / 2;
  if (came_back || time_ns > growth_until_ns_) growth_until_ns_ = 0;
  Forecast(time_ns, seen != nullptr && !came_back,
           growth_until_ns_ != 0 && headroom_bytes
               ? SecondsUntil(time_ns, counters.live_bytes(), *headroom_bytes)
               : std::nullopt);
}

TrendView ProcessTrend::view() const {
  TrendView view;
  if (const GrowthEvidence* const seen = growth()) view.growth = *seen;
  view.score = score();
  view.exhaustion_seconds = exhaustion_seconds();
  return view;
}

void ProcessTrend::Judge(std::size_t tier) {
  GrowthOptions options;
  options.minimum_window_ns = 0;
  options.quarter_share = kQuarterShare;
  for (std::size_t i = 0; i < kWindowBuckets.size(); ++i) {
    options.minimum_buckets = options.most_buckets = kWindowBuckets[i];
    Window& window = windows_[tier][i];
    window.judgement = JudgeGrowth(history_, tier, options);
    const bool grows = window.judgement.shape == GrowthShape::kGrowing;
    window.streak = grows ? window.streak + 1 : 0;
  }
}

// Whether a longer window shows that this one's rise is the tail of another.
bool ProcessTrend::Overruled(Place place) const {
  const GrowthEvidence& growth =
      windows_[place.tier][place.window].judgement.evidence;
  for (std::size_t tier = place.tier; tier < windows_.size(); ++tier) {
    for (const Window& other : windows_[tier]) {
      const GrowthJudgement& longer = other.judgement;
      if (longer.evidence.window_ns <= growth.window_ns) continue;
      if (longer.shape != GrowthShape::kGrowing &&
          longer.evidence.bytes_per_second > 0 &&
          growth.bytes_per_second <=
              kNewRise * longer.evidence.bytes_per_second) {
        return true;
      }
    }
  }
  return false;
}

const GrowthEvidence* ProcessTrend::Longest() const {
  for (std::size_t tier = windows_.size(); tier-- > 0;) {
    for (std::size_t i = kWindowBuckets.size(); i-- > 0;) {
      const Window& window = windows_[tier][i];
      if (window.judgement.evidence.window_ns < kMinimumWindowNs) continue;
      // The widest buckets are too long to wait for a second one.
      const std::size_t needed = tier > 1 ? kStreak - 1 : kStreak;
      const Place place{tier, i};
      if (window.streak >= needed && !Overruled(place)) {
        return &window.judgement.evidence;
      }
    }
  }
  return nullptr;
}

std::optional<double> ProcessTrend::SecondsUntil(
    std::uint64_t time_ns, std::uint64_t live_bytes,
    std::uint64_t headroom_bytes) const {
  // What ends a process is a peak.
  const std::uint64_t peak =
      history_.PeakSince(kSwingTier, time_ns - std::min(time_ns, kSwingNs));
  const std::uint64_t swing = peak - std::min(peak, live_bytes);
  const auto seconds = SecondsToAdd(
      growth_,
      static_cast<double>(headroom_bytes - std::min(headroom_bytes, swing)));
  const double seen = static_cast<double>(growth_.window_ns) / 1e9;
  return seconds && *seconds <= kReach * seen ? seconds : std::nullopt;
}

void ProcessTrend::Forecast(std::uint64_t time_ns, bool fresh,
                            std::optional<double> seconds) {
  seconds_ = seconds;
  if (fresh && seconds && time_ns - first_ns_ >= kMinimumLookNs) {
    if (forecast_since_ns_ == 0) forecast_since_ns_ = time_ns;
    forecast_last_ns_ = time_ns;
  }
  if (time_ns - forecast_last_ns_ > (said_ ? kHoldNs : kForgivenNs)) {
    forecast_since_ns_ = 0;
  }
  said_ = forecast_since_ns_ != 0 &&
          forecast_last_ns_ - forecast_since_ns_ >= kPatienceNs;
}

const GrowthEvidence* ProcessTrend::growth() const {
  return growth_until_ns_ != 0 ? &growth_ : nullptr;
}

double ProcessTrend::score() const {
  if (growth() == nullptr) return 0;
  return std::min(static_cast<double>(growth_.window_ns) / kHourNs, 1.0);
}

std::optional<double> ProcessTrend::exhaustion_seconds() const {
  return said_ ? seconds_ : std::nullopt;
}

}  // namespace heapledger::collector
