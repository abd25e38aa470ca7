// SPDX-License-Identifier: Apache-2.0
// One stack out of two: the native frames of a walk, in which each interpreter
// loop gives way to the Python frames that it runs.
//
// A loop is told by an address in its C frame (the anchor of its frames), or,
// in versions that keep none, by its pc: there each loop runs one frame.
#pragma once

#include <cstdint>

#include "preload/unwind/last_stack.h"

namespace heapledger::preload {

// A frame of the chain, ready to be stored.
struct PythonFrame {
  std::uint64_t word;    // ledger::PythonWord
  std::uint64_t anchor;  // 0: none, or not known
};

// The chain, as far as it was followed.
struct PythonChain {
  const PythonFrame* frames = nullptr;
  std::uint32_t count = 0;
  bool truncated = false;
};

// Where the loop's code lies, for versions without anchors; empty for others.
struct LoopRange {
  std::uint64_t start = 0;
  std::uint64_t end = 0;

  [[nodiscard]] constexpr bool Contains(std::uint64_t pc) const {
    return pc - 1 >= start && pc - 1 < end;
  }
};

struct MergedStack {
  std::uint32_t depth = 0;
  bool truncated = false;  // there was no room for the rest
};

namespace internal {

class MergeOut {
 public:
  MergeOut(std::uint64_t* frames, std::uint32_t capacity)
      : frames_(frames), capacity_(capacity) {}

  void Put(std::uint64_t frame) {
    if (result_.depth == capacity_) {
      result_.truncated = true;
    } else {
      frames_[result_.depth++] = frame;
    }
  }
  [[nodiscard]] const MergedStack& result() const { return result_; }
  MergedStack Cut() {
    result_.truncated = true;
    return result_;
  }

 private:
  std::uint64_t* frames_;
  std::uint32_t capacity_;
  MergedStack result_;
};

}  // namespace internal

// Puts the frames of `last` and of `chain`, both innermost first, into
// `frames`. `last_is_whole`: the walk came to the outer end of the stack.
//
// What finds no loop comes at the outer end (the native stack was cut, or the
// frames run on another one) or, where loops are told by pc and some are
// missing (compilers put rare parts of a function elsewhere), together with the
// innermost loop that was found.
inline MergedStack MergeStacks(const unwind::LastStack& last,
                               bool last_is_whole, const PythonChain& python,
                               const LoopRange& loop, std::uint64_t* frames,
                               std::uint32_t capacity) {
  constexpr std::uint32_t kOutermost = unwind::LastStack::kOutermost;
  internal::MergeOut out(frames, capacity);
  const PythonFrame* const chain = python.frames;
  const std::uint32_t count = python.count;
  const bool by_pc = loop.end != 0;
  std::uint32_t loops = 0;
  for (std::uint32_t i = last.top; by_pc && i >= kOutermost; --i) {
    if (loop.Contains(last.places[i].pc)) ++loops;
  }
  // Loops that have no frame yet, or any more: the innermost ones.
  std::uint32_t idle = loops > count ? loops - count : 0;
  std::uint32_t homeless =
      last_is_whole && loops != 0 && count > loops ? count - loops : 0;
  std::uint32_t next = 0;
  for (std::uint32_t i = last.top; i >= kOutermost; --i) {
    const unwind::FramePlace& place = last.places[i];
    bool is_loop = false;
    if (by_pc) {
      if (loop.Contains(place.pc) && next < count) {
        if (idle != 0) {
          --idle;
        } else {
          is_loop = true;
          for (; homeless != 0; --homeless) out.Put(chain[next++].word);
          out.Put(chain[next++].word);
        }
      }
    } else {
      const std::uint64_t low = last.places[last.top].rsp;
      const std::uint64_t high = last.places[i - 1].rsp;
      while (next < count && chain[next].anchor >= low &&
             chain[next].anchor < high) {
        is_loop = is_loop || chain[next].anchor >= place.rsp;
        out.Put(chain[next++].word);
      }
    }
    if (!is_loop) out.Put(place.pc);
    // What is further out was not looked at.
    if (next == count && python.truncated) return out.Cut();
  }
  while (next < count) out.Put(chain[next++].word);
  return python.truncated ? out.Cut() : out.result();
}

}  // namespace heapledger::preload
