// SPDX-License-Identifier: Apache-2.0
// Whether a process as a whole grows without an end in sight, and when that
// uses up what it may have. One figure is enough: live bytes of a process under
// the shim, resident bytes of one that is not.
//
// A forecast is made where the longest window that shows growth (JudgeGrowth on
// windows of a minute to five hours) says all of
//   - at the rate of its end, slower as far as growth slows down, the peaks
//     reach the limit, and would even if it slowed down somewhat more. Steady
//     growth is so told up to twice as far ahead as it was seen, none further
//     than three times: nobody knows more from less;
//   - the window is of eight minutes or more: teeth and bursts are shorter;
//   - the process has been looked at for twenty minutes: every start is growth.
// and is given once that has held for two minutes. It is held to for five more
// unless the memory comes back.
//
// What it cannot tell: the way up of a period that was never seen to end, such
// as a first day, from a leak. Forecasts of more than 50 minutes are therefore
// worth a look and no alarm.
//
// Takes 20 KB. Thread safety: one thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "collector/leaks/floor_history.h"
#include "collector/leaks/growth_evidence.h"

namespace heapledger::collector {

// What is to be said of a process at its last sample.
struct TrendView {
  std::optional<GrowthEvidence> growth;  // none: nothing grows
  double score = 0;
  std::optional<double> exhaustion_seconds;
};

class ProcessTrend {
 public:
  ProcessTrend() : history_(kBaseWidthNs) {}

  // `headroom_bytes`: by how much the process can grow from here; none where it
  // is not known. Times must not go back; a sample that does is left out.
  void Add(std::uint64_t time_ns, const HeapCounters& counters,
           std::optional<std::uint64_t> headroom_bytes);
  // The same for a process of which only the resident bytes are known.
  void AddResident(std::uint64_t time_ns, std::uint64_t bytes,
                   std::optional<std::uint64_t> headroom_bytes);

  // The growth of the longest window that shows it; null where none does.
  [[nodiscard]] const GrowthEvidence* growth() const;
  // For how much of an hour growth has been seen, from 0 to 1: one without.
  [[nodiscard]] double score() const;
  // Until the headroom is used up; none without a forecast.
  [[nodiscard]] std::optional<double> exhaustion_seconds() const;
  [[nodiscard]] TrendView view() const;

 private:
  // Finer than a callsite's, for windows of 8, 12 and 16 minutes: a forecast
  // must come within a third of the time that a fast leak leaves.
  static constexpr std::uint64_t kBaseWidthNs = 5 * kSecondNs;
  // The windows of a tier.
  static constexpr std::array<std::size_t, 4> kWindowBuckets = {12, 24, 36, 48};

  struct Window {
    GrowthJudgement judgement;
    std::size_t streak = 0;  // judgements in a row that saw growth
  };
  struct Place {
    std::size_t tier;
    std::size_t window;
  };

  void Judge(std::size_t tier);
  // Null where no window shows growth.
  [[nodiscard]] const GrowthEvidence* Longest() const;
  [[nodiscard]] bool Overruled(Place place) const;
  // None where that is out of reach.
  [[nodiscard]] std::optional<double> SecondsUntil(
      std::uint64_t time_ns, std::uint64_t live_bytes,
      std::uint64_t headroom_bytes) const;
  void Forecast(std::uint64_t time_ns, bool fresh,
                std::optional<double> seconds);

  FloorHistory history_;
  std::array<std::array<Window, kWindowBuckets.size()>, FloorHistory::kTiers>
      windows_{};
  std::uint64_t first_ns_ = 0;
  GrowthEvidence growth_;                // the last that was seen
  std::uint64_t growth_until_ns_ = 0;    // 0: it is over
  std::uint64_t forecast_since_ns_ = 0;  // 0: none is made
  std::uint64_t forecast_last_ns_ = 0;
  bool said_ = false;
  std::optional<double> seconds_;  // of the forecast, given or not
};

// Seconds until growth as of `growth` has added `bytes`: steady or faster at
// the rate of the window's end, slower as it slows down within the window.
// None where it ends before.
[[nodiscard]] std::optional<double> SecondsToAdd(const GrowthEvidence& growth,
                                                 double bytes);

}  // namespace heapledger::collector
