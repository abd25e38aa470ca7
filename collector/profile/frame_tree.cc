// SPDX-License-Identifier: Apache-2.0
#include "collector/profile/frame_tree.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace heapledger::collector {
namespace {

constexpr std::uint32_t kRoot = 0;

// Functions of a profile, numbered once each.
class FrameNumbers {
 public:
  explicit FrameNumbers(std::vector<TreeFrame>& frames) : frames_(frames) {}

  std::uint32_t Of(const std::string& function, const std::string& module) {
    const auto next = static_cast<std::uint32_t>(frames_.size());
    const auto [place, added] = numbers_.try_emplace({function, module}, next);
    if (added) frames_.push_back({function, module});
    return place->second;
  }

 private:
  std::vector<TreeFrame>& frames_;
  absl::flat_hash_map<std::pair<std::string, std::string>, std::uint32_t>
      numbers_;
};

// One number of each sample.
template <typename Of>
std::vector<std::int64_t> Numbers(const Profile& profile, Of&& of) {
  std::vector<std::int64_t> numbers;
  numbers.reserve(profile.samples.size());
  for (const ProfileSample& sample : profile.samples) {
    numbers.push_back(of(sample));
  }
  return numbers;
}

}  // namespace

FrameTree::FrameTree(const Profile& profile)
    : frames_{{"all", ""}}, parents_{kRoot}, frame_of_{0} {
  FrameNumbers numbers(frames_);
  // Per location its functions, outermost first.
  std::vector<std::vector<std::uint32_t>> functions(profile.locations.size());
  for (std::size_t i = 0; i < functions.size(); ++i) {
    const ResolvedPc& names = *profile.locations[i].names;
    for (auto name = names.rbegin(); name != names.rend(); ++name) {
      functions[i].push_back(numbers.Of(FrameFunction(*name), name->module));
    }
  }
  absl::flat_hash_map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t>
      nodes;  // by parent and frame
  const auto child = [&](std::uint32_t parent, std::uint32_t frame) {
    const auto next = static_cast<std::uint32_t>(parents_.size());
    const auto [place, added] = nodes.try_emplace({parent, frame}, next);
    if (added) {
      parents_.push_back(parent);
      frame_of_.push_back(frame);
    }
    return place->second;
  };
  leaves_.reserve(profile.samples.size());
  for (const ProfileSample& sample : profile.samples) {
    std::uint32_t node = kRoot;
    if (const std::string mark = StackEndMark(sample); !mark.empty()) {
      node = child(node, numbers.Of(mark, ""));
    }
    const auto stack = profile.stack(sample);
    for (auto it = stack.rbegin(); it != stack.rend(); ++it) {
      for (const std::uint32_t frame : functions[*it]) {
        node = child(node, frame);
      }
    }
    leaves_.push_back(node);
  }
}

std::vector<std::int64_t> FrameTree::Totals(
    std::span<const std::int64_t> by_sample) const {
  std::vector<std::int64_t> totals(size(), 0);
  for (std::size_t i = 0; i < leaves_.size(); ++i) {
    totals[leaves_[i]] += by_sample[i];
  }
  for (std::size_t node = size() - 1; node > kRoot; --node) {
    totals[parents_[node]] += totals[node];
  }
  return totals;
}

std::vector<std::vector<std::uint32_t>> FrameTree::Children(
    std::span<const std::int64_t> weight) const {
  std::vector<std::vector<std::uint32_t>> children(size());
  for (std::uint32_t node = 1; node < size(); ++node) {
    children[parents_[node]].push_back(node);
  }
  // Ties are broken by name: the same heap gives the same picture.
  for (auto& siblings : children) {
    std::ranges::sort(siblings, [&](std::uint32_t a, std::uint32_t b) {
      if (weight[a] != weight[b]) return weight[a] > weight[b];
      return std::tie(frame(a).function, frame(a).module) <
             std::tie(frame(b).function, frame(b).module);
    });
  }
  return children;
}

std::vector<std::int64_t> SampleValues(const Profile& profile,
                                       ProfileValue value) {
  return Numbers(profile, [value](const ProfileSample& sample) {
    return sample.values.of(value);
  });
}

std::vector<std::int64_t> SampleValuesBefore(const Profile& profile,
                                             ProfileValue value) {
  return Numbers(profile, [value](const ProfileSample& sample) {
    return sample.before.of(value);
  });
}

std::vector<std::int64_t> SampleWidths(const Profile& profile,
                                       ProfileValue value) {
  return Numbers(profile, [value](const ProfileSample& sample) {
    return std::max(sample.before.of(value), sample.after().of(value));
  });
}

}  // namespace heapledger::collector
