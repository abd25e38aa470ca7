// SPDX-License-Identifier: Apache-2.0
#include "collector/ledger/history.h"

namespace heapledger::collector {
namespace {

// One sample fewer than the ring holds spans the window.
constexpr std::uint64_t Spacing(std::size_t window) {
  return kGrowthWindows[window].length_ns / (History::kSamplesPerWindow - 1);
}

}  // namespace

void History::Add(Sample sample) {
  if (count_ > 0 && sample.time_ns <= newest_.time_ns) return;
  newest_ = sample;
  ++count_;
  for (std::size_t window = 0; window < rings_.size(); ++window) {
    Ring& ring = rings_[window];
    if (ring.size > 0) {
      const Sample& last =
          ring.samples[(ring.begin + ring.size - 1) % kSamplesPerWindow];
      if (sample.time_ns - last.time_ns < Spacing(window)) continue;
    }
    if (ring.size == kSamplesPerWindow) {
      ring.begin = (ring.begin + 1) % kSamplesPerWindow;
      --ring.size;
    }
    ring.samples[(ring.begin + ring.size) % kSamplesPerWindow] = sample;
    ++ring.size;
    ++ring.taken;
  }
}

std::vector<Sample> History::Window(std::size_t window) const {
  std::vector<Sample> samples;
  if (count_ == 0) return samples;
  const Ring& ring = rings_[window];
  const std::uint64_t length = kGrowthWindows[window].length_ns;
  for (std::size_t i = 0; i < ring.size; ++i) {
    const Sample& sample = ring.samples[(ring.begin + i) % kSamplesPerWindow];
    if (newest_.time_ns - sample.time_ns <= length) samples.push_back(sample);
  }
  if (samples.empty() || samples.back().time_ns != newest_.time_ns) {
    samples.push_back(newest_);
  }
  return samples;
}

}  // namespace heapledger::collector
