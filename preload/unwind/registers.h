// SPDX-License-Identifier: Apache-2.0
// The registers that a walk carries from frame to frame. Three are enough: code
// for x86-64 finds its frame from rsp or rbp, and the rare frame that uses
// another register gets it from what an inner frame saved
// (register_recovery.h).
#pragma once

#include <cstdint>

namespace heapledger::preload::unwind {

struct Registers {
  std::uint64_t pc = 0;
  std::uint64_t rsp = 0;
  std::uint64_t rbp = 0;
};

// DWARF numbers of the x86-64 registers that have a meaning here.
inline constexpr std::uint8_t kDwarfRbx = 3;
inline constexpr std::uint8_t kDwarfRbp = 6;
inline constexpr std::uint8_t kDwarfRsp = 7;
inline constexpr std::uint8_t kDwarfReturnAddress = 16;
inline constexpr std::uint8_t kNoRegister = 0xff;

// A value that is known to be lost. Odd, so that no check of an address lets it
// through, and not zero, which marks the outermost frame.
inline constexpr std::uint64_t kLostRegister = 1;

// One past the highest address of user space (4-level paging; glibc and the
// kernel hand out nothing above it unasked).
inline constexpr std::uint64_t kUserSpaceEnd = 1ULL << 47;

}  // namespace heapledger::preload::unwind
