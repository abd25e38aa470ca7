// SPDX-License-Identifier: Apache-2.0
// The stable name of a callsite: 16 hex digits over the functions and modules
// of its stack. Two runs of a program agree on it under ASLR, and two builds of
// it as long as the same functions call each other, because only the linkage
// names of physical functions go in:
//   - no address, no line, no inlined function (these come and go with the
//     optimizer and with debug files),
//   - what lies outside main(), or the C library's frames below a thread's
//     start, is left out: its static functions have names only where the
//     library's debug file is installed,
//   - a function without a name stands as build id and rel_pc of its module,
//   - a Python function stands as its qualified name and the last part of its
//     file's name.
// Of a callsite's flags only the cut of adaptive depth goes in, as a cut stack
// stands for all that begin like it: it must not pass for one that ends there.
// One that reaches main() has lost nothing and keeps the name.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "collector/ledger/naming.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector {

class Fingerprint {
 public:
  constexpr Fingerprint() = default;
  constexpr explicit Fingerprint(std::uint64_t value) : value_(value) {}

  [[nodiscard]] constexpr std::uint64_t value() const { return value_; }
  [[nodiscard]] std::string ToString() const;  // 16 lower-case hex digits

  friend constexpr bool operator==(Fingerprint, Fingerprint) = default;
  friend constexpr auto operator<=>(Fingerprint, Fingerprint) = default;

 private:
  std::uint64_t value_ = 0;
};

// What one physical frame adds to a fingerprint.
struct FrameHash {
  std::uint64_t value = 0;
  bool is_main = false;       // frames outside are left out
  bool is_c_library = false;  // left out at the outer end of a stack
};

[[nodiscard]] FrameHash HashFrame(const ResolvedFrame& physical);

enum class StackEnd { kOutermost, kCut };

// `frames` innermost first.
[[nodiscard]] Fingerprint FingerprintOf(std::span<const FrameHash> frames,
                                        StackEnd end = StackEnd::kOutermost);

// The overflow callsite's: one value in every process.
[[nodiscard]] Fingerprint OverflowFingerprint();

}  // namespace heapledger::collector
