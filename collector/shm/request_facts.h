// SPDX-License-Identifier: Apache-2.0
// What a ledger says of requests to hold less memory, as plain values: the last
// trim of the program's allocator, and the pressure that it was told.
//
// Thread safety: values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace heapledger::collector {

// Whose malloc is under the shim. kUnknown: another one, or one that passes its
// calls on to any of these.
enum class Allocator { kUnknown, kGlibc, kJemalloc, kTcmalloc, kMimalloc };
// "glibc"; "unknown".
std::string_view AllocatorWord(Allocator allocator);

enum class TrimAsker { kUser, kCollector, kUnknown };
// "user", "collector".
std::string_view TrimAskerWord(TrimAsker asker);

enum class TrimResult {
  kNone,      // never trimmed, or never refused
  kReturned,  // the allocator says that it gave memory back
  kNothing,   // it says that there was none to give
  kDone,      // it does not say
  kFailed,    // it refused
  // Of a request that was not followed:
  kTooSoon,
  kSealed,
  kInHandler,
  kUnknown,
};
// A word for JSON ("returned", "too_soon").
std::string_view TrimResultWord(TrimResult result);
// Why a request was not followed, without a full stop.
std::string_view TrimRefusalText(TrimResult refusal);

// In bytes; 0 where nobody knows.
struct TrimFigures {
  std::uint64_t resident = 0;  // of the process, in no file
  std::uint64_t held = 0;      // by the allocator's account: from the kernel
  std::uint64_t free = 0;      // of that, in no block

  friend bool operator==(const TrimFigures&, const TrimFigures&) = default;
};

struct TrimFacts {
  TrimResult result = TrimResult::kNone;  // of the last one made
  TrimAsker asked_by = TrimAsker::kUnknown;
  std::uint64_t trims = 0;
  std::uint64_t realtime_ns = 0;  // when it ended
  std::uint64_t duration_ns = 0;  // for which a thread was held up
  TrimFigures before;
  TrimFigures after;
  std::uint64_t refused = 0;  // requests that were not followed
  TrimResult last_refusal = TrimResult::kNone;
  // Whether the program wrote to it while it was read.
  bool torn = false;
};

// What a program is told of the pressure on memory. Each level asks for what
// those below it ask for, too.
enum class PressureLevel {
  kNotAsked = 0,
  kLow = 1,       // advisory
  kMedium = 2,    // clear caches, shrink pools
  kHigh = 3,      // close what is idle
  kCritical = 4,  // stop work that is not critical
  kOver = 5,      // it has passed
};
// "low", "medium", "high", "critical", "over"; "none".
std::string_view PressureWord(PressureLevel level);

struct PressureListenerFacts {
  std::uint64_t callback = 0;  // address in the program
  std::uint32_t least_level = 0;
  std::uint32_t last_level = 0;
  std::uint64_t runs = 0;
  std::uint64_t total_ns = 0;
  std::uint64_t longest_ns = 0;
};

struct PressureFacts {
  PressureLevel taken_level = PressureLevel::kNotAsked;
  std::uint32_t waiting = 0;  // threads that wait to be told now
  std::uint64_t taken = 0;    // requests that the program has heard of
  std::uint64_t taken_realtime_ns = 0;
  std::uint64_t polls = 0;
  std::vector<PressureListenerFacts> listeners;

  // Whether the program was ever seen to ask for pressure at all.
  [[nodiscard]] bool listens() const { return waiting != 0 || polls != 0; }
};

}  // namespace heapledger::collector
