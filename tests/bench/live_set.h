// SPDX-License-Identifier: Apache-2.0
// Live blocks of one thread, of which random ones are freed and replaced: one
// pair of malloc and free at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace heapledger::bench {

// Two cache lines, as the prefetcher brings them in pairs: sets of two threads
// that share one would measure the sharing, not the allocator.
inline constexpr std::size_t kApart = 128;

// Thread safety: one thread at a time.
class alignas(kApart) LiveSet {
 public:
  // REQUIRES: blocks is a power of two, because of the mask.
  explicit LiveSet(std::size_t blocks)
      : slots_(static_cast<void**>(
            std::aligned_alloc(4096, 4096 + blocks * sizeof(void*)))),
        mask_(blocks - 1) {
    std::memset(slots_, 0, blocks * sizeof(void*));
    for (std::size_t i = 0; i < blocks; ++i) slots_[i] = NewBlock();
  }
  LiveSet(const LiveSet&) = delete;
  LiveSet& operator=(const LiveSet&) = delete;
  ~LiveSet() {
    for (std::size_t i = 0; i <= mask_; ++i) std::free(slots_[i]);
    std::free(slots_);
  }

  std::uint64_t pairs = 0;  // how many the next run is to do
  int depth = 0;            // and at which depth

  [[gnu::always_inline]] std::uint64_t Random() {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return random_;
  }

  // 16 to 256 bytes, 136 on average.
  [[gnu::always_inline]] static std::size_t Size(std::uint64_t random) {
    return 16 + (random >> 32 & 15) * 16;
  }

  // Frees a random block and puts a new one in its place. Which one does not
  // depend on the block before: a processor overlaps the misses of several.
  [[gnu::always_inline]] void Replace() {
    const std::uint64_t random = Random();
    void*& slot = slots_[random & mask_];
    std::free(slot);
    slot = std::malloc(Size(random));
  }

  // The same where the freed block says which one is next, so that each miss
  // waits for the one before, as in a program that follows pointers.
  [[gnu::always_inline]] void ReplaceDependent() {
    void*& slot = slots_[next_];
    std::memcpy(&next_, slot, sizeof next_);
    next_ &= mask_;
    std::free(slot);
    slot = NewBlock();
  }

 private:
  // Each block starts with a random number.
  [[gnu::always_inline]] void* NewBlock() {
    const std::uint64_t random = Random();
    void* const block = std::malloc(Size(random));
    std::memcpy(block, &random, sizeof random);
    return block;
  }

  std::uint64_t random_ = 0x9e3779b97f4a7c15;  // any but 0
  void** slots_;
  std::uint64_t mask_;
  std::uint64_t next_ = 0;
};

// Four call sites, so that nothing predicts one alone.
inline constexpr std::uint64_t kSites = 4;

[[gnu::noipa]] inline void RepeatingPairs(LiveSet& set) {
  for (std::uint64_t i = 0; i < set.pairs; i += kSites) {
    set.Replace();
    set.Replace();
    set.Replace();
    set.Replace();
  }
}

}  // namespace heapledger::bench
