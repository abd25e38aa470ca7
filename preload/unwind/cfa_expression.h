// SPDX-License-Identifier: Apache-2.0
// The DWARF expressions that CFI is known to use on x86-64, recognised rather
// than interpreted:
//   reg + a                       and with additions, folded into a
//   *(reg + a) + b                frames realigned by gcc, OpenSSL's assembly
//   rsp + 8 + ((pc & 15) >= n) * 8   the linker's PLT
// Anything else has no form here and its rule is unusable.
#pragma once

#include <cstdint>

#include "preload/unwind/byte_reader.h"
#include "preload/unwind/registers.h"

namespace heapledger::preload::unwind {

struct CfaExpression {
  bool known = false;
  bool dereferences = false;
  std::uint8_t base = kNoRegister;
  std::int64_t offset = 0;
  std::int64_t addend = 0;  // 0 unless it dereferences
};

namespace internal {

inline constexpr std::uint8_t kOpDeref = 0x06;
inline constexpr std::uint8_t kOpConst1u = 0x08;
inline constexpr std::uint8_t kOpConst1s = 0x09;
inline constexpr std::uint8_t kOpAnd = 0x1a;
inline constexpr std::uint8_t kOpPlus = 0x22;
inline constexpr std::uint8_t kOpPlusUnsigned = 0x23;
inline constexpr std::uint8_t kOpShl = 0x24;
inline constexpr std::uint8_t kOpGe = 0x2a;
inline constexpr std::uint8_t kOpLit0 = 0x30;
inline constexpr std::uint8_t kOpBreg0 = 0x70;

// Past a bound that no frame reaches, sums could overflow.
inline constexpr std::int64_t kMaxTerm = 1LL << 40;
constexpr bool IsTerm(std::int64_t value) {
  return value > -kMaxTerm && value < kMaxTerm;
}

// The rest of a PLT expression after "breg7 a": breg16 0, lit15, and, lit n,
// ge, lit3, shl, plus. The pc is the frame's own, so the form folds to a sum.
inline bool FoldPlt(ByteReader reader, std::uint64_t pc,
                    std::int64_t* addition) {
  if (reader.Read<std::uint8_t>() != kOpBreg0 + kDwarfReturnAddress ||
      reader.ReadSignedLeb() != 0 ||
      reader.Read<std::uint8_t>() != kOpLit0 + 15 ||
      reader.Read<std::uint8_t>() != kOpAnd) {
    return false;
  }
  const std::uint32_t threshold =
      static_cast<std::uint32_t>(reader.Read<std::uint8_t>()) - kOpLit0;
  if (threshold > 15 || reader.Read<std::uint8_t>() != kOpGe ||
      reader.Read<std::uint8_t>() != kOpLit0 + 3 ||
      reader.Read<std::uint8_t>() != kOpShl ||
      reader.Read<std::uint8_t>() != kOpPlus || !reader.ok() ||
      !reader.AtEnd()) {
    return false;
  }
  *addition = (pc & 15) >= threshold ? 8 : 0;
  return true;
}

// Reads one term that an addition follows; false if there is none.
inline bool ReadAddition(ByteReader* reader, std::uint8_t op,
                         std::int64_t* term) {
  if (op == kOpPlusUnsigned) {
    *term = static_cast<std::int64_t>(reader->ReadUnsignedLeb());
    return reader->ok();
  }
  if (op >= kOpLit0 && op < kOpLit0 + 32) {
    *term = op - kOpLit0;
  } else if (op == kOpConst1u) {
    *term = reader->Read<std::uint8_t>();
  } else if (op == kOpConst1s) {
    *term = reader->Read<std::int8_t>();
  } else {
    return false;
  }
  return reader->Read<std::uint8_t>() == kOpPlus && reader->ok();
}

}  // namespace internal

// `pc` is that of the frame whose CFA or register the expression describes.
inline CfaExpression RecogniseExpression(ByteRange bytes, std::uint64_t pc) {
  CfaExpression result;
  ByteReader reader(bytes);
  const auto first = reader.Read<std::uint8_t>();
  if (first < internal::kOpBreg0 || first >= internal::kOpBreg0 + 16) {
    return result;
  }
  result.base = static_cast<std::uint8_t>(first - internal::kOpBreg0);
  result.offset = reader.ReadSignedLeb();
  std::int64_t addition = 0;
  if (internal::FoldPlt(reader, pc, &addition)) {
    result.offset += addition;
    result.known = internal::IsTerm(result.offset);
    return result;
  }
  while (reader.ok() && !reader.AtEnd()) {
    if (!internal::IsTerm(result.offset) || !internal::IsTerm(result.addend)) {
      return result;
    }
    const auto op = reader.Read<std::uint8_t>();
    if (op == internal::kOpDeref && !result.dereferences) {
      result.dereferences = true;
    } else if (internal::ReadAddition(&reader, op, &addition) &&
               internal::IsTerm(addition)) {
      (result.dereferences ? result.addend : result.offset) += addition;
    } else {
      return result;
    }
  }
  result.known = reader.ok() && internal::IsTerm(result.offset) &&
                 internal::IsTerm(result.addend);
  return result;
}

}  // namespace heapledger::preload::unwind
