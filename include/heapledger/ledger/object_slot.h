// SPDX-License-Identifier: Apache-2.0
// A slot of the object map: the word of 32 bits that says of a granule of the
// target's memory whether a live block starts there, and how long it is. The
// map lies in the target's private memory; the header says where
// (Header::object_map_directory) for readers that may read that.
//
//   directory[address >> leaf_shift] -> leaf, an array of slots; 0: none
//   leaf[(address mod 1 << leaf_shift) >> granule_shift] -> slot
//
//   slot:  | size code 8 | callsite 24 |      0 = no block starts here
//   size code < kSizeInTwoSlots: the requested size itself
//   kSizeInOneSlot: the size is in the next slot (32 bits)
//   kSizeInTwoSlots: in the next two (64 bits, low half first)
//
// The next slots belong to the same block and are no blocks of their own. A
// leaf has two slots more than granules, for a block in its last one.
#pragma once

#include <cstdint>

namespace heapledger::ledger {

inline constexpr std::uint32_t kSizeInTwoSlots = 254;
inline constexpr std::uint32_t kSizeInOneSlot = 255;

}  // namespace heapledger::ledger
