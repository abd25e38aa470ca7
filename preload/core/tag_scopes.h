// SPDX-License-Identifier: Apache-2.0
// The scopes that a thread is in: which tags, from the outermost to the
// innermost, and which of them count as open.
//
// A scope is left by what its beginning gave, and with it all that are still
// open inside of it: so one that was jumped out of (longjmp) is left, and
// counted as such, at the latest when the one around it is. Leaving one that is
// left already does nothing.
//
// Thread safety: one thread, and signal handlers on it that leave what they
// began. One that does not (it jumps out, or means it so) leaves the thread in
// its scopes.
#pragma once

#include <atomic>
#include <cstdint>

#include "heapledger/ledger/abi.h"

namespace heapledger::preload {

// What a scope's beginning gives: how deep it lies and the tag around it. As a
// word it is never 0, which stands for no scope.
struct ScopeToken {
  // The depth of a scope that no thread's list knows of.
  static constexpr std::uint32_t kUnlisted = 0xfffe;

  std::uint32_t outer_depth = 0;
  std::uint32_t outer_tag = 0;

  [[nodiscard]] std::uint32_t Pack() const {
    return (outer_depth + 1) << 16 | outer_tag;
  }
  // REQUIRES: word != 0.
  static ScopeToken Unpack(std::uint32_t word) {
    return {(word >> 16) - 1, word & 0xffff};
  }
};

enum class ScopeKind : std::uint8_t {
  kOwn,      // counts as open while it is
  kAdopted,  // another thread's, or a longer-lived thing's: not counted again
};

struct TagScopes {
  // Deeper ones do not count as open; their tags hold all the same.
  static constexpr std::uint32_t kKept = 32;
  static constexpr std::uint32_t kDeepest = ScopeToken::kUnlisted - 1;
  static constexpr std::uint16_t kCounted = 0x8000;
  static_assert(ledger::kMaxTags <= kCounted);

  std::uint32_t depth;
  std::uint16_t tags[kKept];  // with kCounted

  // Begins a scope and says whether it counts as open.
  // REQUIRES: depth < kDeepest.
  bool Begin(std::uint32_t tag, ScopeKind kind) {
    const std::uint32_t at = depth;
    // First: what a handler begins right now lies further in.
    depth = at + 1;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (at >= kKept) return false;
    const bool counts = kind == ScopeKind::kOwn && tag != ledger::kNoTag;
    tags[at] = static_cast<std::uint16_t>(tag | (counts ? kCounted : 0U));
    return counts;
  }

  // Leaves all scopes deeper than `outer_depth` and calls left(tag) for each
  // that counts.
  template <typename Left>
  void Leave(std::uint32_t outer_depth, Left&& left) {
    while (depth > outer_depth) {
      const std::uint32_t at = depth - 1;
      const std::uint16_t word = at < kKept ? tags[at] : 0;
      depth = at;
      std::atomic_signal_fence(std::memory_order_seq_cst);
      if ((word & kCounted) != 0) left(std::uint32_t{word} & ~kCounted);
    }
  }

  // Calls open(tag) for each scope that counts.
  template <typename Open>
  void ForEachOpen(Open&& open) const {
    for (std::uint32_t i = 0; i < depth && i < kKept; ++i) {
      if ((tags[i] & kCounted) != 0) open(std::uint32_t{tags[i]} & ~kCounted);
    }
  }
};

}  // namespace heapledger::preload
