// SPDX-License-Identifier: Apache-2.0
// How often a program may be held up to trim its allocator: by one thread at a
// time, no more than once a second, and for no more than a tenth of the time,
// whoever asks however often.
//
// Thread safety: any thread. Zeroed memory is a fresh one.
#pragma once

#include <atomic>
#include <cstdint>

namespace heapledger::preload {

class TrimPace {
 public:
  // Whether a trim may begin now; then the caller ends it with End(). Times are
  // nanoseconds of one clock.
  bool TryBegin(std::uint64_t now_ns) {
    std::uint64_t next = next_.load(std::memory_order_relaxed);
    return now_ns >= next && next_.compare_exchange_strong(
                                 next, kBusy, std::memory_order_acquire);
  }

  void End(std::uint64_t begin_ns, std::uint64_t now_ns) {
    const std::uint64_t rest = kRestPerTrim * (now_ns - begin_ns);
    next_.store(now_ns + (rest > kLeastRestNs ? rest : kLeastRestNs),
                std::memory_order_release);
  }

  // In a forked child: the thread that may have been at it is not there.
  void Reset() { next_.store(0, std::memory_order_relaxed); }

 private:
  static constexpr std::uint64_t kBusy = ~std::uint64_t{0};
  static constexpr std::uint64_t kLeastRestNs = 1'000'000'000;
  static constexpr std::uint64_t kRestPerTrim = 9;

  std::atomic<std::uint64_t> next_{0};
};

}  // namespace heapledger::preload
