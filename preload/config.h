// SPDX-License-Identifier: Apache-2.0
// The settings of the shim, from HEAPLEDGER_* of the environment. Whatever is
// missing, empty, over-long or senseless means the default.
#pragma once

#include <cstddef>
#include <cstdint>

#include "heapledger/ledger/abi.h"
#include "heapledger/ledger/reasons.h"

namespace heapledger::preload {

struct Config {
  static constexpr std::size_t kDirectoryBytes = 256;
  static constexpr std::size_t kFollowBytes = 256;
  static constexpr std::uint32_t kDefaultBudgetPercent = 1;
  static constexpr std::uint32_t kDefaultSampleBytes = 512 << 10;
  static constexpr std::uint32_t kMaxSampleBytes = 1 << 30;

  ledger::Mode mode = ledger::Mode::kExact;
  ledger::StackMode stack_mode = ledger::StackMode::kFull;
  std::uint32_t max_depth = ledger::kDefaultStackDepth;
  std::uint32_t budget_percent = kDefaultBudgetPercent;
  // As given, or 0.
  std::uint32_t sample_bytes = 0;
  std::uint64_t cap_bytes = ledger::kDefaultCapBytes;
  bool disabled = false;
  // Take the Python frames of a program that hosts CPython into its stacks.
  bool python_frames = false;
  // Look for unreachable blocks when the process ends.
  bool scan_at_exit = false;
  // Empty: the default directories.
  char directory[kDirectoryBytes] = {};
  // Which children are measured: "all", "none" or names with commas.
  char follow[kFollowBytes] = {};
  // The process that --follow counts as the first one; 0: there is none.
  std::uint32_t root_pid = 0;

  // The interpreter's own figures, by a thread of ours; see runtime/helper.h.
  bool python_metrics = false;
  // As given, or 0.
  std::uint32_t python_refresh_ms = 0;
  std::uint32_t python_census_ms = 0;

  // Reads the environment. Refuses nothing, allocates nothing.
  void ReadEnvironment();

  // Mean bytes between samples when measuring; 0 where every block is booked.
  std::uint32_t SampleMean() const;

  // Whether a process with this name is to be measured.
  bool Follows(std::uint32_t pid, const char* comm) const;
};

}  // namespace heapledger::preload
