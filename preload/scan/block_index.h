// SPDX-License-Identifier: Apache-2.0
// Which block an address lies in: bitmaps over the object map, made for one
// scan while nothing changes, and a mark for every block.
//
//   ordinal[address >> 24] -> leaf: starts  1 bit per granule, 64 KiB
//                                   marks   the same
//                                   pointed the same
//                                   summary 1 bit per word of starts, then per
//                                           word of that
//                                   carry   the block that reaches in from
//                                           before the leaf
//
// The map itself could be searched backwards from an address to the block
// around it, but at 4 bytes per granule that costs microseconds in a large
// block; here it is a few words.
//
// Blocks are named by the address of their granule.
//
// Thread safety: none.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "preload/core/env.h"
#include "preload/core/object_map.h"
#include "preload/scan/heap_sort.h"

namespace heapledger::preload::scan {

class BlockIndex {
 public:
  // Builds the index of all blocks of the map; false when memory is refused or
  // the map holds more than can be indexed. REQUIRES: a map that does not
  // change; zeroed members.
  template <MemoryEnv Env>
  bool Build(Env& env, const ObjectMap& objects) {
    objects_ = objects;
    std::uint32_t leaves = 0;
    if (!objects.CountLeaves(&leaves)) return false;
    capacity_ = leaves + kCarriedLeaves + 1;
    ordinals_ = Map<std::uint32_t>(env, ObjectMap::kDirectoryEntries);
    leaves_ = Map<Leaf>(env, capacity_);
    order_ = Map<std::uint32_t>(env, leaves + 1);
    bits_ = Map<LeafBits>(env, leaves + 1);
    if (ordinals_ == nullptr || leaves_ == nullptr || order_ == nullptr ||
        bits_ == nullptr) {
      return false;
    }
    bool complete = true;
    objects.ForEach([&](std::uint64_t block, const BlockRecord& record) {
      complete = complete && Insert(block, record.bytes);
    });
    HeapSort(order_, with_blocks_,
             [](std::uint32_t a, std::uint32_t b) { return a < b; });
    return complete;
  }

  [[nodiscard]] std::uint64_t blocks() const { return blocks_; }
  // Every block lies in [low, high).
  [[nodiscard]] std::uint64_t low() const { return low_; }
  [[nodiscard]] std::uint64_t high() const { return high_; }

  // The last block that starts at or before the granule of an address; 0 where
  // none can reach it. Whether it does is a matter of its size.
  [[nodiscard]] std::uint64_t Before(std::uint64_t address) const {
    if (address < low_ || address >= high_) return 0;
    const std::uint32_t ordinal = ordinals_[address >> ObjectMap::kLeafShift];
    if (ordinal == 0) return 0;
    const Leaf& leaf = leaves_[ordinal];
    if (leaf.bits == nullptr) return leaf.carry;
    const std::uint64_t base = address >> ObjectMap::kLeafShift
                                              << ObjectMap::kLeafShift;
    const std::uint32_t granule = GranuleOf(address);
    const std::uint32_t found = leaf.bits->Last(granule);
    if (found == kNone) return leaf.carry;
    return base + (std::uint64_t{found} << ObjectMap::kGranuleShift);
  }

  // REQUIRES, here and below: there is a block of this name.
  [[nodiscard]] bool IsMarked(std::uint64_t block) const {
    return Test(BitsOf(block)->marks, GranuleOf(block));
  }
  // Marks a block; false when it was marked.
  bool Mark(std::uint64_t block) {
    return Set(BitsOf(block)->marks, GranuleOf(block));
  }
  // A second mark.
  [[nodiscard]] bool IsPointedTo(std::uint64_t block) const {
    return Test(BitsOf(block)->pointed, GranuleOf(block));
  }
  void PointTo(std::uint64_t block) {
    Set(BitsOf(block)->pointed, GranuleOf(block));
  }

  [[nodiscard]] std::uint64_t SizeOf(std::uint64_t block) const {
    return ObjectMap::Read(objects_.Find(block)).bytes;
  }
  [[nodiscard]] std::uint32_t CallsiteOf(std::uint64_t block) const {
    return ObjectMap::Read(objects_.Find(block)).callsite;
  }
  // The first word of a block's slot, by which it is told from a later block at
  // its address; 0 where there is none any more.
  [[nodiscard]] std::uint32_t SlotWordOf(std::uint64_t block) const {
    return objects_.Find(block)->load(std::memory_order_relaxed);
  }

  // Calls `visit(block)` for every block in the order of addresses, as long as
  // it returns true.
  template <typename Visit>
  bool ForEach(Visit&& visit) const {
    return ForEachBit([](const LeafBits& bits,
                         std::uint32_t word) { return bits.starts[word]; },
                      visit);
  }
  template <typename Visit>
  bool ForEachUnmarked(Visit&& visit) const {
    return ForEachBit(
        [](const LeafBits& bits, std::uint32_t word) {
          return bits.starts[word] & ~bits.marks[word];
        },
        visit);
  }

  // Whether a block starts in the 2 MiB window of an address.
  [[nodiscard]] bool HasBlockInWindow(std::uint64_t address) const {
    const std::uint64_t window = address >> kWindowShift << kWindowShift;
    const std::uint32_t ordinal = ordinals_[window >> ObjectMap::kLeafShift];
    if (ordinal == 0 || leaves_[ordinal].bits == nullptr) return false;
    const LeafBits& bits = *leaves_[ordinal].bits;
    const std::uint32_t first = GranuleOf(window) / 4096;
    constexpr std::uint32_t kGranules =
        1U << (kWindowShift - ObjectMap::kGranuleShift);
    for (std::uint32_t i = first; i < first + kGranules / 4096; ++i) {
      if (bits.summary[i] != 0) return true;
    }
    return false;
  }
  static constexpr std::uint32_t kWindowShift = 21;

 private:
  static constexpr std::uint32_t kNone = ~0U;
  static constexpr std::uint32_t kWords = ObjectMap::kLeafSlots / 64;
  static constexpr std::uint32_t kSummaryWords = kWords / 64;
  static constexpr std::uint32_t kTopWords = kSummaryWords / 64;
  // Leaves that blocks of more than a leaf's size reach into: 1 TiB of them.
  static constexpr std::uint32_t kCarriedLeaves = 1U << 16;

  // The highest set bit at or below `bit` in `words`; kNone where none is.
  static std::uint32_t LastIn(const std::uint64_t* words, std::uint32_t bit) {
    const std::uint64_t here = words[bit / 64] & (~0ULL >> (63 - bit % 64));
    if (here == 0) return kNone;
    return bit / 64 * 64 + 63 -
           static_cast<std::uint32_t>(__builtin_clzll(here));
  }

  struct LeafBits {
    std::uint64_t starts[kWords];
    std::uint64_t marks[kWords];
    std::uint64_t pointed[kWords];
    std::uint64_t summary[kSummaryWords];
    std::uint64_t top[kTopWords];

    void Add(std::uint32_t granule) {
      starts[granule / 64] |= 1ULL << (granule % 64);
      const std::uint32_t word = granule / 64;
      summary[word / 64] |= 1ULL << (word % 64);
      top[word / 4096] |= 1ULL << (word / 64 % 64);
    }

    [[nodiscard]] std::uint32_t Last(std::uint32_t granule) const {
      const std::uint32_t here = LastIn(starts, granule);
      if (here != kNone) return here;
      const std::uint32_t word = LastWord(granule / 64);
      return word == kNone ? kNone : LastIn(starts, word * 64 + 63);
    }

   private:
    // The last word of starts before this one that is not 0.
    [[nodiscard]] std::uint32_t LastWord(std::uint32_t word) const {
      if (word == 0) return kNone;
      const std::uint32_t near = LastIn(summary, word - 1);
      if (near != kNone) return near;
      // All of the summary's words below.
      std::uint32_t above = (word - 1) / 64;
      if (above == 0) return kNone;
      --above;
      for (;;) {
        const std::uint32_t found = LastIn(top, above);
        if (found != kNone) return LastIn(summary, found * 64 + 63);
        if (above < 64) return kNone;
        above = above / 64 * 64 - 1;
      }
    }
  };

  struct Leaf {
    LeafBits* bits = nullptr;  // null: no block starts here
    std::uint64_t carry = 0;
  };

  static std::uint32_t GranuleOf(std::uint64_t address) {
    return static_cast<std::uint32_t>(address >> ObjectMap::kGranuleShift) &
           (ObjectMap::kLeafSlots - 1);
  }
  static bool Test(const std::uint64_t* words, std::uint32_t bit) {
    return (words[bit / 64] >> (bit % 64) & 1) != 0;
  }
  static bool Set(std::uint64_t* words, std::uint32_t bit) {
    const std::uint64_t mask = 1ULL << (bit % 64);
    if ((words[bit / 64] & mask) != 0) return false;
    words[bit / 64] |= mask;
    return true;
  }

  template <typename Value, typename Env>
  static Value* Map(Env& env, std::size_t count) {
    return static_cast<Value*>(env.MapPrivate(count * sizeof(Value)));
  }

  [[nodiscard]] LeafBits* BitsOf(std::uint64_t block) const {
    return leaves_[ordinals_[block >> ObjectMap::kLeafShift]].bits;
  }

  // The leaf of an index, new where there is none; null where there is no room.
  Leaf* LeafAt(std::uint64_t index) {
    if (index >= ObjectMap::kDirectoryEntries) return nullptr;
    if (ordinals_[index] == 0) {
      if (leaf_count_ + 1 >= capacity_) return nullptr;
      ordinals_[index] = ++leaf_count_;
    }
    return &leaves_[ordinals_[index]];
  }

  bool Insert(std::uint64_t block, std::uint64_t bytes) {
    const std::uint64_t index = block >> ObjectMap::kLeafShift;
    Leaf* const leaf = LeafAt(index);
    if (leaf == nullptr) return false;
    if (leaf->bits == nullptr) {
      order_[with_blocks_] = static_cast<std::uint32_t>(index);
      leaf->bits = &bits_[with_blocks_++];
    }
    leaf->bits->Add(GranuleOf(block));
    ++blocks_;
    // A block may start in the second half of its granule.
    const std::uint64_t end = block + kGranuleBytes + bytes;
    if (low_ == 0 || block < low_) low_ = block;
    if (end > high_) high_ = end;
    for (std::uint64_t next = index + 1;
         next <= (end - 1) >> ObjectMap::kLeafShift; ++next) {
      Leaf* const reached = LeafAt(next);
      if (reached == nullptr) return false;
      // Blocks overlap at most by what is rounded: the later one counts.
      if (block > reached->carry) reached->carry = block;
    }
    return true;
  }

  template <typename WordOf, typename Visit>
  bool ForEachBit(WordOf&& word_of, Visit&& visit) const {
    for (std::uint32_t i = 0; i < with_blocks_; ++i) {
      const LeafBits& bits = *leaves_[ordinals_[order_[i]]].bits;
      const std::uint64_t base = std::uint64_t{order_[i]}
                                 << ObjectMap::kLeafShift;
      for (std::uint32_t at = 0; at < kSummaryWords; ++at) {
        for (std::uint64_t left = bits.summary[at]; left != 0;
             left &= left - 1) {
          const std::uint32_t word =
              at * 64 + static_cast<std::uint32_t>(__builtin_ctzll(left));
          for (std::uint64_t set = word_of(bits, word); set != 0;
               set &= set - 1) {
            const std::uint64_t granule =
                std::uint64_t{word} * 64 +
                static_cast<std::uint64_t>(__builtin_ctzll(set));
            if (!visit(base + (granule << ObjectMap::kGranuleShift))) {
              return false;
            }
          }
        }
      }
    }
    return true;
  }

  static constexpr std::uint64_t kGranuleBytes = 1ULL
                                                 << ObjectMap::kGranuleShift;

  ObjectMap objects_;
  std::uint32_t* ordinals_ = nullptr;
  Leaf* leaves_ = nullptr;          // by ordinal, from 1
  std::uint32_t* order_ = nullptr;  // leaves in which blocks start, sorted
  LeafBits* bits_ = nullptr;
  std::uint32_t capacity_ = 0;
  std::uint32_t leaf_count_ = 0;
  std::uint32_t with_blocks_ = 0;
  std::uint64_t blocks_ = 0;
  std::uint64_t low_ = 0;
  std::uint64_t high_ = 0;
};

}  // namespace heapledger::preload::scan
