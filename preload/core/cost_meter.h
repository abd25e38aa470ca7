// SPDX-License-Identifier: Apache-2.0
// What stacks cost one thread, as a share of its time, and whether that is more
// than the budget. One walk in 64 is timed or priced by the caller; the rest
// are taken to cost the same.
//
// The share is what it would be if no stack were cut: cut allocations count as
// walks. Otherwise the measured share would fall as soon as cutting works, and
// the verdict would swing.
//
// Times are ticks of any counter that only grows, of about a nanosecond.
//
// Thread safety: one thread. A signal handler in between, or a walk that is
// never finished, spoils one sample.
#pragma once

#include <cstdint>

namespace heapledger::preload {

class CostMeter {
 public:
  static constexpr std::uint32_t kTimedEvery = 64;  // power of two: a mask
  static constexpr std::uint32_t kWindowWalks = 1024;
  // 10 ms or so: a burst that is over sooner has cost nobody anything.
  static constexpr std::uint64_t kWindowTicks = std::uint64_t{1} << 25;

  // To be asked before each walk; yes means to call Timed() after it.
  bool WantsTiming() { return (walks_++ & (kTimedEvery - 1)) == 0; }

  // `cut` is the number of allocations of this thread, ever, whose stack was
  // not walked.
  [[gnu::noinline]] void Timed(std::uint64_t start, std::uint64_t end,
                               std::uint64_t cut,
                               std::uint32_t budget_percent) {
    if (window_start_ == 0 || end < start || start < window_start_) {
      StartWindow(end, cut);  // the first one, or the counter went back
      return;
    }
    const std::uint64_t ticks = end - start;
    timed_ticks_ += ticks;
    if (ticks > longest_) longest_ = ticks;
    const std::uint32_t timed = ++timed_;
    const std::uint64_t elapsed = end - window_start_;
    if (timed < kWindowWalks / kTimedEvery || elapsed < kWindowTicks) return;
    Judge(elapsed, timed, cut, budget_percent);
    StartWindow(end, cut);
  }

  bool exceeded() const { return exceeded_; }
  // Of the last window, as if uncut, in 1/1000.
  std::uint64_t share_permille() const { return share_permille_; }

 private:
  void Judge(std::uint64_t elapsed, std::uint32_t timed, std::uint64_t cut,
             std::uint32_t budget_percent) {
    // Without the longest: that one was interrupted, or the first of its kind.
    const std::uint64_t walk = (timed_ticks_ - longest_) / (timed - 1);
    const std::uint64_t walks =
        std::uint64_t{timed} * kTimedEvery + (cut - cut_before_);
    share_permille_ = walk * walks / (elapsed / 1000);
    const std::uint64_t budget = std::uint64_t{budget_percent} * 10;
    // What was exceeded stays so down to half the budget.
    exceeded_ = share_permille_ > (exceeded_ ? budget / 2 : budget) ||
                budget_percent == 0;
  }

  void StartWindow(std::uint64_t now, std::uint64_t cut) {
    window_start_ = now;
    cut_before_ = cut;
    timed_ticks_ = longest_ = 0;
    timed_ = 0;
  }

  std::uint64_t window_start_ = 0;
  std::uint64_t cut_before_ = 0;
  std::uint64_t timed_ticks_ = 0;
  std::uint64_t longest_ = 0;
  std::uint64_t share_permille_ = 0;
  std::uint32_t timed_ = 0;
  std::uint32_t walks_ = 0;
  bool exceeded_ = false;
};

}  // namespace heapledger::preload
