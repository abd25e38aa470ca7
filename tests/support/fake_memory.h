// SPDX-License-Identifier: Apache-2.0
// Memory of a process that does not exist: pages that a test writes.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <vector>

#include "collector/python/memory.h"

namespace heapledger::testing {

class FakeMemory final : public collector::python::Memory {
 public:
  // Maps `bytes` zeroed bytes; ranges do not overlap.
  void Map(std::uint64_t start, std::size_t bytes) {
    ranges_[start].resize(bytes);
  }

  template <typename Number>
  void Put(std::uint64_t address, Number number) {
    std::memcpy(At(address, sizeof number), &number, sizeof number);
  }

  // Every read fails with this from now on.
  void Refuse(absl::Status why) { refusal_ = std::move(why); }

  [[nodiscard]] absl::Status Read(std::uint64_t address,
                                  std::span<std::byte> to) const override {
    if (!refusal_.ok()) return refusal_;
    auto* const from = At(address, to.size());
    if (from == nullptr) return absl::OutOfRangeError("not mapped");
    std::memcpy(to.data(), from, to.size());
    return absl::OkStatus();
  }

 private:
  [[nodiscard]] std::byte* At(std::uint64_t address, std::size_t bytes) const {
    auto range = ranges_.upper_bound(address);
    if (range == ranges_.begin()) return nullptr;
    --range;
    const std::uint64_t into = address - range->first;
    if (into > range->second.size() || bytes > range->second.size() - into) {
      return nullptr;
    }
    return range->second.data() + into;
  }

  mutable std::map<std::uint64_t, std::vector<std::byte>> ranges_;
  absl::Status refusal_;
};

}  // namespace heapledger::testing
