// SPDX-License-Identifier: Apache-2.0
// Where CPython keeps what is read from outside: offsets into _PyRuntime, the
// interpreter's state and the collector's. Of release builds with the GIL on
// 64-bit Linux, as the headers of 3.9.18, 3.10.13, 3.11.2, 3.12.1 and 3.13.0
// give them. From 3.13 on the interpreter says itself where most of it lies.
//
// Thread safety: pure.
#pragma once

#include <cstdint>
#include <optional>

#include "collector/shm/python_figures.h"

namespace heapledger::collector::python {

struct RuntimeLayout {
  std::uint64_t interpreters_head = 0;  // in _PyRuntime; `main` comes next
  std::uint64_t interpreter_next = 0;   // in the interpreter's state
  std::uint64_t collector = 0;          // the same: struct _gc_runtime_state
};

// None for a version that this build does not know, or that says itself.
[[nodiscard]] std::optional<RuntimeLayout> LayoutOf(
    const PythonVersion& version);

// In struct _gc_runtime_state, the same from 3.9 to 3.13.
struct CollectorLayout {
  static constexpr std::uint64_t kEnabled = 12;      // int
  static constexpr std::uint64_t kGenerations = 24;  // three, of these:
  static constexpr std::uint64_t kGenerationBytes = 24;
  static constexpr std::uint64_t kThreshold = 16;    // int
  static constexpr std::uint64_t kCounter = 20;      // int
  static constexpr std::uint64_t kGeneration0 = 96;  // leads to kGenerations
  static constexpr std::uint64_t kStats = 128;       // three of three words
  static constexpr std::uint64_t kStatsBytes = 24;
  static constexpr std::uint64_t kBytes = 200;
};

// At the start of _PyRuntime from 3.13 on (struct _Py_DebugOffsets), in words.
struct DebugOffsetsLayout {
  static constexpr char kCookie[] = "xdebugpy";
  static constexpr std::uint64_t kVersion = 1;
  static constexpr std::uint64_t kFreeThreaded = 2;
  static constexpr std::uint64_t kInterpretersHead = 5;
  static constexpr std::uint64_t kInterpreterNext = 8;
  static constexpr std::uint64_t kCollector = 10;
  static constexpr std::uint64_t kWords = 11;
};

}  // namespace heapledger::collector::python
