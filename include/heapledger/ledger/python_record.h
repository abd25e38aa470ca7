// SPDX-License-Identifier: Apache-2.0
// What the helper thread of HEAPLEDGER_PYTHON=metrics knows of a CPython
// interpreter: one record, in an extent of its own, in ledgers of processes
// that were asked and have one.
//
// Thread safety: written by whoever holds the interpreter's lock (GIL), one
// thread at a time. Each part has a round, odd while it is written: a reader
// copies the record, looks at the rounds once more, and takes the parts whose
// round is even and has not changed. The rounds come first, so that a copy that
// goes upwards has them before what they guard.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "heapledger/ledger/layout.h"

namespace heapledger::ledger {

// Whether the helper reads the interpreter. Values are part of the ABI.
enum class HelperState : std::uint32_t {
  kNone = 0,
  kWaiting = 1,  // for an interpreter to be initialized
  kOn = 2,
  kOff = 3,  // PythonReason says why; figures are the last ones
};

enum class PythonReason : std::uint32_t {
  kNone = 0,
  kNoThread = 1,      // the helper's thread could not be made
  kNoSymbols = 2,     // the interpreter lacks a name that is needed
  kVersion = 3,       // older than 3.8, or newer than 3
  kFreeThreaded = 4,  // a build without the GIL: other objects, other rules
  kRefused = 5,       // the interpreter raised an exception at installation
  kFinalized = 6,     // the interpreter ended
};

inline constexpr std::uint32_t kPythonGenerations = 3;
inline constexpr std::uint32_t kPythonTypes = 32;
inline constexpr std::uint32_t kPythonTypeNameBytes = 56;
// Sizes of pymalloc's blocks: 16, 32, … 512.
inline constexpr std::uint32_t kPythonSizeClasses = 32;
inline constexpr std::uint32_t kPythonSizeClassBytes = 16;

// Upper bounds of the durations that collections are counted by; what takes
// longer is counted last.
inline constexpr std::uint64_t kPythonDurationBoundsNs[] = {
    100'000,    300'000,     1'000'000,   3'000'000,     10'000'000,
    30'000'000, 100'000'000, 300'000'000, 1'000'000'000, 3'000'000'000};
inline constexpr std::uint32_t kPythonDurations =
    sizeof(kPythonDurationBoundsNs) / sizeof(kPythonDurationBoundsNs[0]) + 1;

struct PythonGeneration {
  // As gc.get_stats() has them.
  AtomicU64 collections;
  AtomicU64 collected;
  AtomicU64 uncollectable;
  // As gc.get_count() and gc.get_threshold(), at the last refresh.
  AtomicU64 counter;
  AtomicU64 threshold;
  // Since the helper was installed.
  AtomicU64 duration_ns;
  AtomicU64 durations[kPythonDurations];  // collections, by bound
};

// A type and the objects of it that the collector tracks.
struct PythonType {
  AtomicU64 objects;
  AtomicU64 name[kPythonTypeNameBytes / 8];  // text; zeros fill it up
};

// What the helper takes from the program.
struct PythonCost {
  AtomicU64 held_ns;    // it held the GIL
  AtomicU64 waited_ns;  // it waited for it
  AtomicU64 refreshes;
  AtomicU64 callback_ns;  // in the callback of collections
};

struct PythonRecord {
  AtomicU32 collections_round;
  AtomicU32 heap_round;
  AtomicU32 types_round;
  AtomicU32 state;              // HelperState
  AtomicU32 reason;             // PythonReason
  AtomicU32 version;            // major, minor, micro in the high three bytes
  AtomicU32 collector_enabled;  // gc.isenabled() at the last refresh
  AtomicU32 reserved;
  AtomicU64 installed_realtime_ns;
  PythonCost cost;

  // Of collections_round.
  PythonGeneration generations[kPythonGenerations];

  // Of heap_round. Zeros where the interpreter runs without pymalloc.
  AtomicU64 heap_realtime_ns;  // 0: never read
  AtomicU64 arenas;
  AtomicU64 arena_bytes;
  AtomicU64 block_bytes;  // of the arenas, in blocks that are in use
  AtomicU64 blocks;       // sys.getallocatedblocks()
  AtomicU64 size_class_blocks[kPythonSizeClasses];

  // Of types_round.
  AtomicU64 types_realtime_ns;  // 0: never counted
  AtomicU64 types_duration_ns;  // of the last count, with the GIL held
  AtomicU64 tracked_objects;    // all of them
  AtomicU64 type_count;         // of `types` in use; the rest is "_other"
  PythonType types[kPythonTypes];
};
static_assert(sizeof(PythonRecord) <= kPageBytes);
static_assert(sizeof(PythonType) == 64);
static_assert(offsetof(PythonRecord, cost) == 40);
static_assert(std::is_standard_layout_v<PythonRecord>);

template <>
struct Chunking<PythonRecord> {
  static constexpr ExtentKind kKind = ExtentKind::kPython;
  static constexpr std::uint32_t kPages = 1;
};
static_assert(kRecordsPerChunk<PythonRecord> == 1);

}  // namespace heapledger::ledger
