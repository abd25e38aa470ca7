// SPDX-License-Identifier: Apache-2.0
// The samples of a profile as one tree from the outermost function inwards:
// what flame graphs draw. Stacks that begin with the same functions share them;
// inlined functions are frames of their own.
//
// Thread safety: immutable once made.
//
// Invariants:
//  (1) Node 0 is the root, which stands for the whole; a parent's index is less
//      than its children's.
//  (2) Every sample has a node, even one that has no stack.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "collector/profile/profile.h"

namespace heapledger::collector {

struct TreeFrame {
  std::string function;  // a StackEndMark too
  std::string module;
};

class FrameTree {
 public:
  explicit FrameTree(const Profile& profile);

  [[nodiscard]] std::size_t size() const { return parents_.size(); }
  // Distinct functions, as nodes refer to them.
  [[nodiscard]] const std::vector<TreeFrame>& frames() const { return frames_; }
  [[nodiscard]] const TreeFrame& frame(std::uint32_t node) const {
    return frames_[frame_of_[node]];
  }
  // The root's are 0.
  [[nodiscard]] std::span<const std::uint32_t> parents() const {
    return parents_;
  }
  [[nodiscard]] std::span<const std::uint32_t> frame_indexes() const {
    return frame_of_;
  }
  // The innermost node of each sample.
  [[nodiscard]] std::span<const std::uint32_t> leaves() const {
    return leaves_;
  }

  // Sums over the samples at or below each node, given each sample's number.
  [[nodiscard]] std::vector<std::int64_t> Totals(
      std::span<const std::int64_t> by_sample) const;

  // Child nodes, by parent, those with more `weight` first.
  [[nodiscard]] std::vector<std::vector<std::uint32_t>> Children(
      std::span<const std::int64_t> weight) const;

 private:
  std::vector<TreeFrame> frames_;
  std::vector<std::uint32_t> parents_;
  std::vector<std::uint32_t> frame_of_;
  std::vector<std::uint32_t> leaves_;
};

// One number per sample: its value, and its value before.
[[nodiscard]] std::vector<std::int64_t> SampleValues(const Profile& profile,
                                                     ProfileValue value);
[[nodiscard]] std::vector<std::int64_t> SampleValuesBefore(
    const Profile& profile, ProfileValue value);
// How wide a sample is drawn: its value; of a difference the larger of before
// and after, so that what is gone is seen as well as what is new.
[[nodiscard]] std::vector<std::int64_t> SampleWidths(const Profile& profile,
                                                     ProfileValue value);

}  // namespace heapledger::collector
