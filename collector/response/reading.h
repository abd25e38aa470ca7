// SPDX-License-Identifier: Apache-2.0
// A program and what was read of its memory at one moment: plain values, so
// that the engine can be driven by a sampler, a history or a test.
#pragma once

#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace heapledger::collector::response {

using Duration = std::chrono::nanoseconds;
// Since any fixed moment, the same for all calls.
using Time = std::chrono::nanoseconds;

// A pid alone is another process' one day.
struct TargetKey {
  std::uint32_t pid = 0;
  std::uint64_t start_time_ticks = 0;

  friend auto operator<=>(const TargetKey&, const TargetKey&) = default;
};

struct Target {
  TargetKey key;
  std::string process;  // the label
  std::string exe;      // with its path; empty where unknown
  std::string cgroup;   // its path in the hierarchy; empty where unknown
  bool python = false;
  bool under_shim = false;
};

// What conditions are about.
enum class Quantity : std::uint8_t {
  kUsage,      // share of the tightest limit that is used
  kHeadroom,   // bytes left to it
  kStall,      // share of the last second that some task waited for memory
  kStallFull,  // that all of them did
  kLimitHits,  // how often its cgroup came to its limit in the last 10 s
  kReclaim,    // 1 low, 2 medium, 3 critical: cgroup v1's memory.pressure_level
  kExhaustion,  // seconds until growth has used up what it may have
  kGrowth,      // bytes per second
  kSuspects,    // bytes at callsites that seem to leak
};
inline constexpr std::size_t kQuantities = 9;

enum class Unit : std::uint8_t {
  kRatio,
  kBytes,
  kSeconds,
  kBytesPerSecond,
  kCount,
  kGrade,
};

// Which way it gets worse, and where the condition is left that is not told.
struct QuantityFacts {
  std::string_view word;
  Unit unit;
  bool rising;          // the higher the worse
  double leave_factor;  // of the value at which it is entered
};

inline constexpr std::array<QuantityFacts, kQuantities> kQuantityFacts = {{
    {"usage", Unit::kRatio, true, 0.95},
    {"headroom", Unit::kBytes, false, 1.25},
    {"stall", Unit::kRatio, true, 0.5},
    {"stall_full", Unit::kRatio, true, 0.5},
    {"limit_hits", Unit::kCount, true, 0.5},
    {"reclaim", Unit::kGrade, true, 0.9},
    {"exhaustion", Unit::kSeconds, false, 1.5},
    {"growth", Unit::kBytesPerSecond, true, 0.5},
    {"suspects", Unit::kBytes, true, 0.75},
}};

[[nodiscard]] constexpr const QuantityFacts& FactsOf(Quantity quantity) {
  return kQuantityFacts[static_cast<std::size_t>(quantity)];
}

struct Reading {
  // By Quantity; none where it is not known.
  std::array<std::optional<double>, kQuantities> values{};
  std::uint64_t used_bytes = 0;   // against the limit, without dropable cache
  std::uint64_t limit_bytes = 0;  // 0 where it is not known
  std::optional<std::uint64_t> live_bytes{};  // under the shim

  std::optional<double>& operator[](Quantity quantity) {
    return values[static_cast<std::size_t>(quantity)];
  }
  const std::optional<double>& operator[](Quantity quantity) const {
    return values[static_cast<std::size_t>(quantity)];
  }
};

}  // namespace heapledger::collector::response
