// SPDX-License-Identifier: Apache-2.0
// What a program did when it was asked through the control word to hold less
// memory: trims of its allocator, and levels of pressure that it was told.
//
// Values are part of the ABI: append, never renumber.
//
// Thread safety: written by threads of the target, one at a time per record but
// for the counts; read by other processes at any time. TrimRecord begins with
// what is stored last and ends with what is stored first: a reader that copies
// it upwards and finds both equal has one trim's figures.
#pragma once

#include <atomic>
#include <cstdint>

namespace heapledger::ledger {

// Whose malloc is under us, as the shim found at the start of the image.
enum class Allocator : std::uint32_t {
  kUnknown = 0,  // none of these, or one that passes its calls on
  kGlibc = 1,
  kJemalloc = 2,
  kTcmalloc = 3,
  kMimalloc = 4,
};

// Who asked for a trim; see kTrimByShift.
enum class TrimAsker : std::uint32_t {
  kUser = 0,       // somebody at a command line
  kCollector = 1,  // a rule of the collector's
};

enum class TrimResult : std::uint32_t {
  kNone = 0,
  kReturned = 1,  // the allocator says that it gave memory back
  kNothing = 2,   // it says that there was none to give
  kDone = 3,      // it does not say
  kFailed = 4,    // it refused
  // Requests that were not followed; they leave the record as it was.
  kTooSoon = 5,    // too little time since the last one
  kSealed = 6,     // the program gave up system calls (seccomp)
  kInHandler = 7,  // within a signal handler, where an allocator may be busy
};

// The last trim that was made, and counts of all. Figures that nobody knows are
// 0.
struct TrimRecord {
  std::atomic<std::uint64_t> ended;         // trims made; see above
  std::atomic<std::uint32_t> result;        // TrimResult
  std::atomic<std::uint32_t> asked_by;      // TrimAsker
  std::atomic<std::uint32_t> last_refusal;  // TrimResult, of `refused`
  std::uint32_t reserved;
  std::atomic<std::uint64_t> refused;      // requests that were not followed
  std::atomic<std::uint64_t> realtime_ns;  // when it ended
  std::atomic<std::uint64_t> duration_ns;  // for which a thread was held up
  // Resident bytes of the process in no file.
  std::atomic<std::uint64_t> resident_before;
  std::atomic<std::uint64_t> resident_after;
  // By the allocator's own account: what it has from the kernel (glibc: address
  // space, whether resident or not), and the part of it in no block.
  std::atomic<std::uint64_t> held_before;
  std::atomic<std::uint64_t> held_after;
  std::atomic<std::uint64_t> free_before;
  std::atomic<std::uint64_t> free_after;
  std::atomic<std::uint64_t> begun;  // trims; see above
};
static_assert(sizeof(TrimRecord) == 104);

// Values of the control word's pressure field; see kPressureShift.
enum class PressureLevel : std::uint32_t {
  kNotAsked = 0,
  kLow = 1,       // advisory
  kMedium = 2,    // clear caches, shrink pools
  kHigh = 3,      // close what is idle
  kCritical = 4,  // stop work that is not critical
  kOver = 5,      // it has passed
};

// A callback that the program registered, and what its runs came to.
struct PressureListener {
  std::atomic<std::uint64_t> callback;  // its address; 0: none
  std::atomic<std::uint32_t> least_level;
  std::atomic<std::uint32_t> last_level;
  std::atomic<std::uint64_t> runs;
  std::atomic<std::uint64_t> total_ns;
  std::atomic<std::uint64_t> longest_ns;
};
static_assert(sizeof(PressureListener) == 40);

inline constexpr std::uint32_t kPressureListeners = 16;

// How the program hears of pressure. It listens if `waiting` or `polls` is not
// 0.
struct PressureRecord {
  std::atomic<std::uint32_t> taken_level;  // PressureLevel, the last one
  std::atomic<std::uint32_t> waiting;      // threads that wait for one now
  std::atomic<std::uint64_t> taken;
  std::atomic<std::uint64_t> taken_realtime_ns;
  std::atomic<std::uint64_t> polls;  // how often the program asked for one
  PressureListener listeners[kPressureListeners];
};

}  // namespace heapledger::ledger
