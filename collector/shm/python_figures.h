// SPDX-License-Identifier: Apache-2.0
// What a CPython interpreter says of itself, as the shim's helper thread wrote
// it to the ledger: plain values, part of a LedgerSnapshot.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace heapledger::collector {

inline constexpr std::size_t kPythonGenerationCount = 3;

// A version of the interpreter; zeros where unknown.
struct PythonVersion {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  std::uint32_t micro = 0;

  // Of the packed form that CPython has in Py_Version.
  static PythonVersion Of(std::uint32_t packed) {
    return {packed >> 24, packed >> 16 & 0xff, packed >> 8 & 0xff};
  }
  [[nodiscard]] std::string Text() const {
    return std::to_string(major) + "." + std::to_string(minor) + "." +
           std::to_string(micro);
  }
  friend bool operator==(const PythonVersion&, const PythonVersion&) = default;
};

// Of one generation of the garbage collector: as gc.get_stats(), get_count()
// and get_threshold() have it.
struct PythonCollections {
  std::uint64_t collections = 0;
  std::uint64_t collected = 0;
  std::uint64_t uncollectable = 0;
  std::uint64_t counter = 0;
  std::uint64_t threshold = 0;

  friend bool operator==(const PythonCollections&,
                         const PythonCollections&) = default;
};

// How long collections took, since the helper was installed.
struct PythonDurations {
  std::uint64_t total_ns = 0;
  // Collections of at most so many ns and more than the bound before; the last
  // bound is the largest number.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> buckets;
};

struct PythonHeap {
  std::uint64_t realtime_ns = 0;  // when it was read
  std::uint64_t blocks = 0;       // sys.getallocatedblocks()
  // Of pymalloc; zeros where the interpreter runs without it.
  std::uint64_t arenas = 0;
  std::uint64_t arena_bytes = 0;
  std::uint64_t block_bytes = 0;  // in blocks that are in use
  // (bytes of a block, blocks in use), by size.
  std::vector<std::pair<std::uint32_t, std::uint64_t>> size_classes;
};

struct PythonTypes {
  std::uint64_t realtime_ns = 0;  // when they were counted
  std::uint64_t duration_ns = 0;  // of the count
  std::uint64_t objects = 0;      // that the collector tracks, of any type
  // The types worth naming, most objects first; their sum is at most `objects`.
  std::vector<std::pair<std::string, std::uint64_t>> named;
};

enum class PythonHelperState { kWaiting, kOn, kOff, kUnknown };

struct PythonFigures {
  PythonHelperState state = PythonHelperState::kUnknown;
  std::uint32_t reason = 0;  // of kOff
  PythonVersion version;
  bool collector_enabled = false;
  std::uint64_t installed_realtime_ns = 0;
  std::uint64_t held_ns = 0;    // the helper had the GIL
  std::uint64_t waited_ns = 0;  // the helper waited for it
  std::uint64_t callback_ns = 0;
  std::uint64_t refreshes = 0;
  // None where they were being written at every look.
  std::optional<std::array<std::pair<PythonCollections, PythonDurations>,
                           kPythonGenerationCount>>
      generations;
  std::optional<PythonHeap> heap;
  std::optional<PythonTypes> types;
};

// Why the helper is off: a word for labels.
std::string_view PythonReasonWord(std::uint32_t reason);

}  // namespace heapledger::collector
