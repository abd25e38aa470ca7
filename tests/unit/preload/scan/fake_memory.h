// SPDX-License-Identifier: Apache-2.0
// A target for scan/ made of words by address, and blocks in an object map.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <map>
#include <vector>

#include "preload/scan/block_index.h"
#include "preload/scan/marker.h"
#include "preload/scan/memory.h"
#include "tests/unit/preload/core/fake_env.h"

namespace heapledger::preload::scan {

class FakeMemory {
 public:
  bool Load(std::uint64_t address, std::uint64_t* word) {
    const auto found = words.find(address);
    if (found == words.end()) return false;
    *word = found->second;
    return true;
  }
  template <typename Visit>
  void ForEachWord(std::uint64_t begin, std::uint64_t end, Visit&& visit) {
    for (auto at = words.lower_bound(begin);
         at != words.end() && at->first + 8 <= end; ++at) {
      visit(at->second);
    }
  }
  bool TimeIsUp() { return looks_left == 0 || --looks_left == 0; }

  std::map<std::uint64_t, std::uint64_t> words;
  std::uint64_t looks_left = ~0ULL;
};

static_assert(ScanMemory<FakeMemory>);

// A heap as glibc would lay it out: blocks with headers before them.
class FakeHeap {
 public:
  FakeHeap() { EXPECT_TRUE(map.Open(env)); }

  // REQUIRES: a multiple of 16, and no other block within 32 bytes.
  void Add(std::uint64_t address, std::uint64_t bytes,
           std::uint32_t callsite = 7) {
    ObjectMap::Slot* const slot = map.Cover(env, address);
    if (slot == nullptr) std::abort();
    ObjectMap::Put(slot, bytes, callsite);
    const std::uint64_t padded = (bytes + 8 + 15) & ~std::uint64_t{15};
    memory.words[address - 8] = (padded < 32 ? 32 : padded) | 1;
    // A chunk has room for 24 bytes at least.
    for (std::uint64_t at = 0; at < 24 || (at + 8 <= bytes && at < 4096);
         at += 8) {
      memory.words.try_emplace(address + at, 0);
    }
  }
  void Point(std::uint64_t from, std::uint64_t to) { memory.words[from] = to; }

  // The index of what was added so far.
  BlockIndex& Index() {
    const testing::NoAllocGuard guard;
    EXPECT_TRUE(index.Build(env, map));
    return index;
  }

  static std::uint64_t Name(std::uint64_t address) {
    return address & ~std::uint64_t{31};
  }

  FakeEnv env;
  ObjectMap map;
  FakeMemory memory;
  BlockIndex index;
};

}  // namespace heapledger::preload::scan
