// SPDX-License-Identifier: Apache-2.0
// The chain of Python frames that a thread runs, innermost first, by plain
// loads. Right only for the thread itself: then its frames stand still, and
// what they refer to is alive.
#pragma once

#include <cstdint>

#include "preload/runtime/cpython_layout.h"

namespace heapledger::preload {

// A frame as the walk shows it.
struct ChainFrame {
  std::uint64_t code = 0;
  // Index of the instruction that runs, or of the one before the next; -1
  // before the first.
  std::int64_t unit = 0;
  // An address on the C stack that belongs to the loop which runs the frame; 0
  // where the version has none.
  std::uint64_t anchor = 0;

  friend bool operator==(const ChainFrame&, const ChainFrame&) = default;
};

enum class ChainEnd : std::uint8_t {
  kComplete,
  kTruncated,  // there are more
  kDamaged,    // what is there cannot be a frame
};

namespace internal {

// Nothing else is followed.
constexpr bool CanBeObject(std::uint64_t address) {
  return address >= 4096 && address < (std::uint64_t{1} << 47) &&
         address % 8 == 0;
}

template <typename Memory>
std::uint8_t ByteAt(const Memory& memory, std::uint64_t address) {
  return static_cast<std::uint8_t>(memory.Word(address & ~7ULL) >>
                                   (address % 8 * 8));
}

template <typename Memory, typename Visit>
[[gnu::always_inline]] inline ChainEnd WalkFrameObjects(
    const CpythonLayout& layout, const Memory& memory, std::uint64_t thread,
    std::uint32_t limit, Visit&& visit) {
  const bool on_stack = layout.chain == FrameChain::kFrameObjectsOnStack;
  std::uint64_t frame = memory.Word(thread + layout.thread.frame);
  std::uint64_t cframe =
      on_stack ? memory.Word(thread + layout.thread.cframe) : 0;
  for (; frame != 0; --limit) {
    if (limit == 0) return ChainEnd::kTruncated;
    if (!CanBeObject(frame)) return ChainEnd::kDamaged;
    const auto last = static_cast<std::int32_t>(
        memory.Word(frame + layout.frame.instruction));
    const std::uint64_t code = memory.Word(frame + layout.frame.code);
    if (!CanBeObject(code)) return ChainEnd::kDamaged;
    visit(ChainFrame{code, on_stack || last < 0 ? last : last / 2, cframe});
    frame = memory.Word(frame + layout.frame.previous);
    if (CanBeObject(cframe)) {
      cframe = memory.Word(cframe + layout.cframe.previous);
    }
  }
  return ChainEnd::kComplete;
}

template <typename Memory>
std::int64_t UnitOf(const CpythonLayout& layout, const Memory& memory,
                    std::uint64_t frame, std::uint64_t code) {
  return static_cast<std::int64_t>(
             memory.Word(frame + layout.frame.instruction) -
             (code + layout.code.bytecode)) /
         2;
}

template <typename Memory, typename Visit>
[[gnu::always_inline]] inline ChainEnd WalkEntryFlags(
    const CpythonLayout& layout, const Memory& memory, std::uint64_t thread,
    std::uint32_t limit, Visit&& visit) {
  std::uint64_t cframe = memory.Word(thread + layout.thread.cframe);
  if (cframe == 0) return ChainEnd::kComplete;
  if (!CanBeObject(cframe)) return ChainEnd::kDamaged;
  std::uint64_t frame = memory.Word(cframe + layout.cframe.current);
  for (; frame != 0; --limit) {
    if (limit == 0) return ChainEnd::kTruncated;
    if (!CanBeObject(frame)) return ChainEnd::kDamaged;
    const std::uint64_t code = memory.Word(frame + layout.frame.code);
    if (!CanBeObject(code)) return ChainEnd::kDamaged;
    visit(ChainFrame{code, UnitOf(layout, memory, frame, code), cframe});
    if (ByteAt(memory, frame + layout.frame.is_entry) != 0 &&
        CanBeObject(cframe)) {
      cframe = memory.Word(cframe + layout.cframe.previous);
    }
    frame = memory.Word(frame + layout.frame.previous);
  }
  return ChainEnd::kComplete;
}

// The loop that runs a frame is known once its entry is reached: `anchor` takes
// it then, for all frames since the one before.
template <typename Memory, typename Visit, typename Entered>
[[gnu::always_inline]] inline ChainEnd WalkStackFrames(
    const CpythonLayout& layout, const Memory& memory, std::uint64_t thread,
    std::uint32_t limit, Visit&& visit, Entered&& entered) {
  std::uint64_t frame = memory.Word(thread + layout.thread.frame);
  if (layout.thread.cframe != 0) {
    const std::uint64_t cframe = memory.Word(thread + layout.thread.cframe);
    if (cframe == 0) return ChainEnd::kComplete;
    if (!CanBeObject(cframe)) return ChainEnd::kDamaged;
    frame = memory.Word(cframe + layout.cframe.current);
  }
  for (; frame != 0; --limit) {
    if (limit == 0) return ChainEnd::kTruncated;
    if (!CanBeObject(frame)) return ChainEnd::kDamaged;
    if (ByteAt(memory, frame + layout.frame.owner) == kPyOwnedByCStack) {
      entered(frame);
    } else {
      const std::uint64_t code = memory.Word(frame + layout.frame.code);
      if (!CanBeObject(code)) return ChainEnd::kDamaged;
      visit(ChainFrame{code, UnitOf(layout, memory, frame, code), 0});
    }
    frame = memory.Word(frame + layout.frame.previous);
  }
  return ChainEnd::kComplete;
}

}  // namespace internal

// Calls visit(ChainFrame) for each frame, and entered(address) where all frames
// since the last such call were run by the loop that has this address in its C
// frame (3.12 and later; earlier versions say it with each frame). At most
// `limit` steps.
template <typename Memory, typename Visit, typename Entered>
[[gnu::always_inline]] inline ChainEnd WalkPythonChain(
    const CpythonLayout& layout, const Memory& memory, std::uint64_t thread,
    std::uint32_t limit, Visit&& visit, Entered&& entered) {
  switch (layout.chain) {
    case FrameChain::kFrameObjects:
    case FrameChain::kFrameObjectsOnStack:
      return internal::WalkFrameObjects(layout, memory, thread, limit, visit);
    case FrameChain::kEntryFlags:
      return internal::WalkEntryFlags(layout, memory, thread, limit, visit);
    case FrameChain::kStackFrames:
      return internal::WalkStackFrames(layout, memory, thread, limit, visit,
                                       entered);
  }
  return ChainEnd::kDamaged;
}

}  // namespace heapledger::preload
