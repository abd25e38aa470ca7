// SPDX-License-Identifier: Apache-2.0
// 64-bit hashes of stacks and of the pairs that make them up. Not secret, not
// stored anywhere but in our own tables: only spread matters.
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

// Extends the hash of a stack by one more frame.
constexpr std::uint64_t ExtendStackHash(std::uint64_t hash, std::uint64_t pc) {
  return Mix(hash ^ pc, 0xa0761d6478bd642fULL);
}

}  // namespace heapledger::preload
