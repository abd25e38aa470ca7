// SPDX-License-Identifier: Apache-2.0
// 64-bit hashes of stacks and of the pairs that make them up. Not secret, not
// stored anywhere but in our own tables: only spread matters.
//
// A stack is hashed from its outermost frame inwards, so that stacks with a
// common outer part share the work for it.
#pragma once

#include <cstdint>

namespace heapledger::preload {

// Multiplies to 128 bits and folds: every input bit reaches every output bit.
constexpr std::uint64_t Mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a ^ 0x9e3779b97f4a7c15ULL) *
                       (b ^ 0xe7037ed1a0b428dbULL);
  return static_cast<std::uint64_t>(product) ^
         static_cast<std::uint64_t>(product >> 64);
}

// The hash of no frames.
inline constexpr std::uint64_t kEmptyStackHash = 0x2d358dccaa6c78a5ULL;

// Extends the hash of a stack by the frame that it called.
constexpr std::uint64_t ExtendStackHash(std::uint64_t hash, std::uint64_t pc) {
  const std::uint64_t product = (hash ^ pc) * 0xa0761d6478bd642fULL;
  return product ^ product >> 32;
}

// The hash of a whole stack, by what else tells it from others. Flags are few
// and mostly 0, which leaves the hash as it is.
constexpr std::uint64_t FinishStackHash(std::uint64_t hash,
                                        std::uint32_t flags) {
  return hash ^ flags * 0x9e3779b97f4a7c15ULL;
}

}  // namespace heapledger::preload
