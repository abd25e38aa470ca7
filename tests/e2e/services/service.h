// SPDX-License-Identifier: Apache-2.0
// What the ten services have in common: a loop in steps of ten milliseconds
// until the time is up, and a random source that is the same in every run.
// Arguments: seconds, and how many times faster than real time all that goes by
// the clock goes (default 1).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <thread>

#define NOINLINE __attribute__((noinline, noclone, used))

namespace service {

inline std::mt19937_64& Random() {
  static std::mt19937_64 random(20260101);
  return random;
}

// Keeps the compiler from doing away with an allocation.
inline void Escape(const void* block) {
  __asm__ volatile("" ::"r"(block) : "memory");
}

// How many events of `per_second` fall into the step that ends at `now`.
class Rate {
 public:
  explicit Rate(double per_second) : per_second_(per_second) {}

  std::size_t Due(double now, double load = 1) {
    due_ += per_second_ * load * (now - last_);
    last_ = now;
    const auto whole = static_cast<std::size_t>(due_);
    due_ -= static_cast<double>(whole);
    return whole;
  }

 private:
  double per_second_;
  double due_ = 0;
  double last_ = 0;
};

// Calls step(seconds since the start) until the time is up.
template <typename Step>
int Serve(int argc, char** argv, Step&& step) {
  using Clock = std::chrono::steady_clock;
  const double seconds = argc > 1 ? std::atof(argv[1]) : 60;
  const double speed = argc > 2 ? std::atof(argv[2]) : 1;
  std::puts("started");
  std::fflush(stdout);
  const Clock::time_point begin = Clock::now();
  for (Clock::time_point next = begin;; next += std::chrono::milliseconds(10)) {
    const double now =
        std::chrono::duration<double>(Clock::now() - begin).count();
    if (now >= seconds) break;
    step(now * speed);
    std::this_thread::sleep_until(next);
  }
  std::_Exit(0);
}

}  // namespace service
