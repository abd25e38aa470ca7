// SPDX-License-Identifier: Apache-2.0
// Made-up lives of one callsite, a sample a second: leaks of every kind, and
// what only looks like one. Seeded: the same seed makes the same life.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>
#include <string_view>
#include <vector>

#include "collector/shm/snapshot.h"

namespace heapledger::collector::testing {

using Trace = std::vector<HeapCounters>;  // by second

// Blocks of one size that are taken and given back, with figures that add up.
class TraceMaker {
 public:
  TraceMaker(std::uint64_t seed, std::uint64_t block_bytes)
      : random_(seed), block_bytes_(block_bytes) {}

  double Uniform(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random_);
  }
  std::uint64_t Poisson(double mean) {
    return mean <= 0 ? 0
                     : std::poisson_distribution<std::uint64_t>(mean)(random_);
  }
  double Normal() { return std::normal_distribution<double>()(random_); }

  void Take(std::uint64_t blocks) {
    now_.allocated_objects += blocks;
    now_.allocated_bytes += blocks * block_bytes_;
  }
  void Give(std::uint64_t blocks) {
    blocks = std::min(blocks, now_.live_objects());
    now_.freed_objects += blocks;
    now_.freed_bytes += blocks * block_bytes_;
  }
  // Takes or gives until `blocks` are live, and as many again as `passing`
  // come and go meanwhile.
  void Hold(double blocks, std::uint64_t passing = 0) {
    const auto wanted = static_cast<std::uint64_t>(std::max(blocks, 0.0));
    Take(passing);
    Give(passing);
    if (wanted > live()) {
      Take(wanted - live());
    } else {
      Give(live() - wanted);
    }
  }
  [[nodiscard]] std::uint64_t live() const { return now_.live_objects(); }
  void EndSecond() { trace_.push_back(now_); }
  [[nodiscard]] Trace Done() { return std::move(trace_); }

 private:
  std::mt19937_64 random_;
  std::uint64_t block_bytes_;
  HeapCounters now_;
  Trace trace_;
};

struct Family {
  std::string_view name;
  Trace (*make)(std::uint64_t seed);
  int seconds;  // of its life
};

// Every leak begins at some time of the first minutes.

inline Trace LeakFast(std::uint64_t seed) {
  TraceMaker maker(seed, 256);
  const double rate = maker.Uniform(50, 5000), base = maker.Uniform(0, 1e5);
  const double onset = maker.Uniform(0, 600);
  maker.Take(static_cast<std::uint64_t>(base));
  for (int t = 0; t < 3600; ++t) {
    if (t > onset) maker.Take(maker.Poisson(rate));
    maker.EndSecond();
  }
  return maker.Done();
}

// One block in 1 to 20 seconds, among up to 100,000 a second that come and go,
// a few of which are live at any time.
inline Trace LeakSlow(std::uint64_t seed) {
  TraceMaker maker(seed, 64);
  const double rate = maker.Uniform(0.05, 1), passing = maker.Uniform(0, 1e5);
  const double in_flight = maker.Uniform(0, 8);
  double kept = 0;
  for (int t = 0; t < 3600; ++t) {
    kept += static_cast<double>(maker.Poisson(rate));
    maker.Hold(kept + static_cast<double>(maker.Poisson(in_flight)),
               maker.Poisson(passing));
    maker.EndSecond();
  }
  return maker.Done();
}

// The swing is 10 to 100 times what leaks within one of its periods.
inline Trace LeakUnderSawtooth(std::uint64_t seed) {
  TraceMaker maker(seed, 128);
  const double period = maker.Uniform(5, 120), rate = maker.Uniform(1, 50);
  const double swing = maker.Uniform(10, 100) * rate * period;
  const double phase = maker.Uniform(0, period);
  double kept = 0;
  for (int t = 0; t < 3600; ++t) {
    kept += static_cast<double>(maker.Poisson(rate));
    const double in_period = std::fmod(t + phase, period) / period;
    maker.Hold(kept + swing * in_period);
    maker.EndSecond();
  }
  return maker.Done();
}

inline Trace LeakExponential(std::uint64_t seed) {
  TraceMaker maker(seed, 256);
  const double start = maker.Uniform(100, 1000);
  const double doubling = maker.Uniform(300, 1500);
  for (int t = 0; t < 3600; ++t) {
    maker.Hold(start * std::exp2(t / doubling));
    maker.EndSecond();
  }
  return maker.Done();
}

// Nothing for seconds to a minute, then a few hundred blocks at once.
inline Trace LeakInBursts(std::uint64_t seed) {
  TraceMaker maker(seed, 128);
  const double gap = maker.Uniform(5, 60), size = maker.Uniform(50, 500);
  double next = maker.Uniform(0, gap);
  for (int t = 0; t < 3600; ++t) {
    if (t >= next) {
      maker.Take(maker.Poisson(size));
      next += gap * maker.Uniform(0.5, 1.5);
    }
    maker.EndSecond();
  }
  return maker.Done();
}

inline constexpr Family kLeaks[] = {
    {"fast", LeakFast, 3600},
    {"slow", LeakSlow, 3600},
    {"under sawtooth", LeakUnderSawtooth, 3600},
    {"exponential", LeakExponential, 3600},
    {"in bursts", LeakInBursts, 3600},
};

inline Trace Steps(std::uint64_t seed) {
  TraceMaker maker(seed, 4096);
  double next = maker.Uniform(10, 600);
  for (int t = 0; t < 3600; ++t) {
    if (t >= next) {
      maker.Take(static_cast<std::uint64_t>(maker.Uniform(100, 10000)));
      next += maker.Uniform(900, 3000);
    }
    maker.EndSecond();
  }
  return maker.Done();
}

inline Trace Sawtooth(std::uint64_t seed) {
  TraceMaker maker(seed, 256);
  const double period = maker.Uniform(5, 160), swing = maker.Uniform(100, 1e5);
  const double phase = maker.Uniform(0, period), base = maker.Uniform(0, 1e4);
  for (int t = 0; t < 3600; ++t) {
    const double in_period = std::fmod(t + phase, period) / period;
    maker.Hold(base + swing * in_period * maker.Uniform(0.97, 1.03));
    maker.EndSecond();
  }
  return maker.Done();
}

// A cache of keys that come at random: it has what was asked for once.
inline Trace WarmUp(std::uint64_t seed) {
  TraceMaker maker(seed, 512);
  const double keys = maker.Uniform(2000, 50000), tau = maker.Uniform(20, 600);
  for (int t = 0; t < 3600; ++t) {
    const double missing = keys - static_cast<double>(maker.live());
    maker.Take(std::min<std::uint64_t>(maker.Poisson(missing / tau),
                                       static_cast<std::uint64_t>(missing)));
    maker.EndSecond();
  }
  return maker.Done();
}

// What is live follows the load, and the load goes up and down in hours.
inline Trace Diurnal(std::uint64_t seed) {
  TraceMaker maker(seed, 1024);
  const double period = maker.Uniform(600, 10000),
               mean = maker.Uniform(50, 500);
  const double depth = maker.Uniform(0.3, 0.9), life = maker.Uniform(1, 20);
  const double phase = maker.Uniform(0, period);
  for (int t = 0; t < 10800; ++t) {
    const double load =
        mean *
        (1 + depth * std::sin(2 * std::numbers::pi * (t + phase) / period));
    const double live = load * life;
    maker.Hold(live + std::sqrt(live) * maker.Normal(), maker.Poisson(load));
    maker.EndSecond();
  }
  return maker.Done();
}

// Every now and then a batch takes its blocks and gives them all back.
inline Trace Batch(std::uint64_t seed) {
  TraceMaker maker(seed, 256);
  const double period = maker.Uniform(30, 300), share = maker.Uniform(0.1, 0.7);
  const double size = maker.Uniform(1000, 1e5);
  const double phase = maker.Uniform(0, period);
  for (int t = 0; t < 3600; ++t) {
    const double in_period = std::fmod(t + phase, period) / period;
    maker.Hold(in_period < share ? size * in_period / share : 0,
               maker.Poisson(10));
    maker.EndSecond();
  }
  return maker.Done();
}

// Level and slow noise around it, which forgets itself in up to two minutes.
inline Trace Noise(std::uint64_t seed) {
  TraceMaker maker(seed, 128);
  const double level = maker.Uniform(1000, 1e5),
               spread = maker.Uniform(.01, .2);
  const double memory = std::exp(-1 / maker.Uniform(1, 120));
  double noise = maker.Normal();
  for (int t = 0; t < 3600; ++t) {
    noise = memory * noise + std::sqrt(1 - memory * memory) * maker.Normal();
    maker.Hold(level * (1 + spread * noise), maker.Poisson(100));
    maker.EndSecond();
  }
  return maker.Done();
}

inline constexpr Family kHarmless[] = {
    {"steps", Steps, 3600},    {"sawtooth", Sawtooth, 3600},
    {"warm-up", WarmUp, 3600}, {"diurnal", Diurnal, 10800},
    {"batch", Batch, 3600},    {"noise", Noise, 3600},
};

}  // namespace heapledger::collector::testing
