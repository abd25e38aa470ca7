// SPDX-License-Identifier: Apache-2.0
// An unwind rule: what the CFI says about one pc, boiled down to a value. It
// tells how the canonical frame address (CFA) is found and where rbp was saved;
// the return address always lies at CFA − 8 and the caller's rsp is the CFA
// (CFI that says otherwise yields kUnusable).
//
// A rule has three forms without loss between them:
//   UnwindRule     fields, for whoever makes or executes one
//   64-bit word    every rule that compilers emit; never 0 (rule_dictionary.h)
//   16-bit code    the common forms; never 0 (rule_cache.h)
//
//   code  0 b ccccccccc sssss   CFA = (b ? rbp : rsp) + 8 * c,
//                               s = 0: rbp unchanged, else at CFA − 8 * (s + 1)
//         1 iiiiiiiiiiiiiii     i < kFirstDictionaryIndex: a RuleKind without
//                               fields, else entry i − kFirstDictionaryIndex
#pragma once

#include <cstdint>

#include "preload/unwind/registers.h"

namespace heapledger::preload::unwind {

enum class RuleKind : std::uint8_t {
  kUnusable = 0,     // there is CFI, but none that can be followed
  kNoCfi = 1,        // no CFI covers the pc: frame pointers may be tried
  kEndOfStack = 2,   // the return address is undefined: outermost frame
  kSignalFrame = 3,  // rsp points at a ucontext_t that holds the registers
  kOffset = 4,       // CFA = base + cfa_offset
  kDeref = 5,        // CFA = *(base + cfa_offset) + cfa_addend
  // No CFI covers the pc but a function begins right after it: as the lookup of
  // a return address this is one that no call left there, planted to make the
  // function run when the outermost one of a coroutine returns (makecontext).
  kPlantedReturn = 6,
};

enum class RbpRule : std::uint8_t {
  kUnchanged = 0,
  kSavedAtCfa = 1,  // *(CFA + rbp_offset)
  kSavedAtRbp = 2,  // *(rbp + rbp_offset): frames that realign their stack
  kLost = 3,
};

struct UnwindRule {
  RuleKind kind = RuleKind::kUnusable;
  std::uint8_t base = kDwarfRsp;  // DWARF register number
  RbpRule rbp = RbpRule::kUnchanged;
  std::int32_t cfa_offset = 0;
  std::int32_t cfa_addend = 0;
  std::int32_t rbp_offset = 0;

  friend constexpr bool operator==(const UnwindRule&,
                                   const UnwindRule&) = default;

  static constexpr UnwindRule Of(RuleKind kind) {
    UnwindRule rule;
    rule.kind = kind;
    return rule;
  }

  [[nodiscard]] constexpr bool HasCfa() const {
    return kind == RuleKind::kOffset || kind == RuleKind::kDeref;
  }

  // Whether executing the rule reads the frame's own rbp. A walk that reuses
  // outer frames must compare rbp exactly where this holds before some inner
  // rule has restored it.
  [[nodiscard]] constexpr bool ConsumesRbp() const {
    return kind == RuleKind::kNoCfi || kind == RuleKind::kPlantedReturn ||
           (HasCfa() && (base == kDwarfRbp || rbp == RbpRule::kSavedAtRbp));
  }

  // Whether the caller's rbp is the frame's own.
  [[nodiscard]] constexpr bool PassesRbp() const {
    return HasCfa() && rbp == RbpRule::kUnchanged;
  }
};

// --- 16-bit codes.

using RuleCode = std::uint16_t;
inline constexpr RuleCode kNoRuleCode = 0;  // rsp + 0 is no frame
inline constexpr RuleCode kUncommonBit = 0x8000;
inline constexpr RuleCode kBaseIsRbpBit = 0x4000;
inline constexpr std::uint32_t kFirstDictionaryIndex = 16;

constexpr bool IsCommonRule(RuleCode code) {
  return static_cast<RuleCode>(code - 1) < kUncommonBit - 1;
}
constexpr std::uint64_t CommonCfaOffset(RuleCode code) {
  return (static_cast<std::uint64_t>(code) >> 5 & 0x1ff) * 8;
}
// 0 where rbp is unchanged, else the distance of its slot below the CFA.
constexpr std::uint64_t CommonRbpDistance(RuleCode code) {
  const std::uint64_t slot = code & 0x1f;
  return slot == 0 ? 0 : (slot + 1) * 8;
}
constexpr bool CommonRuleConsumesRbp(RuleCode code) {
  return (code & kBaseIsRbpBit) != 0;
}

// Returns the code of a rule that needs no dictionary, else kNoRuleCode.
constexpr RuleCode EncodeRule(const UnwindRule& rule) {
  if (!rule.HasCfa()) {
    if (rule != UnwindRule::Of(rule.kind)) return kNoRuleCode;
    return static_cast<RuleCode>(kUncommonBit |
                                 static_cast<RuleCode>(rule.kind));
  }
  if (rule.kind != RuleKind::kOffset || rule.cfa_addend != 0) {
    return kNoRuleCode;
  }
  if (rule.base != kDwarfRsp && rule.base != kDwarfRbp) return kNoRuleCode;
  if (rule.cfa_offset % 8 != 0 || rule.cfa_offset < 8 ||
      rule.cfa_offset > 0x1ff * 8) {
    return kNoRuleCode;
  }
  std::int32_t slot = 0;
  if (rule.rbp == RbpRule::kSavedAtCfa) {
    if (rule.rbp_offset % 8 != 0 || rule.rbp_offset > -16 ||
        rule.rbp_offset < -8 * 32) {
      return kNoRuleCode;
    }
    slot = -rule.rbp_offset / 8 - 1;
  } else if (rule.rbp != RbpRule::kUnchanged || rule.rbp_offset != 0) {
    return kNoRuleCode;
  }
  return static_cast<RuleCode>((rule.base == kDwarfRbp ? kBaseIsRbpBit : 0) |
                               (rule.cfa_offset / 8) << 5 | slot);
}

// REQUIRES: code came from EncodeRule and is not kNoRuleCode.
constexpr UnwindRule DecodeRule(RuleCode code) {
  if (!IsCommonRule(code)) {
    return UnwindRule::Of(static_cast<RuleKind>(code & ~kUncommonBit));
  }
  UnwindRule rule = UnwindRule::Of(RuleKind::kOffset);
  rule.base = CommonRuleConsumesRbp(code) ? kDwarfRbp : kDwarfRsp;
  rule.cfa_offset = static_cast<std::int32_t>(CommonCfaOffset(code));
  if (const std::uint64_t distance = CommonRbpDistance(code); distance != 0) {
    rule.rbp = RbpRule::kSavedAtCfa;
    rule.rbp_offset = -static_cast<std::int32_t>(distance);
  }
  return rule;
}

// --- 64-bit words: kind 3 bits, rbp 2, base 4, addend 8, rbp offset 20, CFA
// offset 27; the three offsets count words of 8 bytes and are signed.

namespace internal {

constexpr bool FitsWords(std::int32_t bytes, int bits) {
  const std::int64_t limit = 1LL << (bits - 1);
  const std::int64_t words = bytes / 8;
  return bytes % 8 == 0 && words >= -limit && words < limit;
}
constexpr std::uint64_t WordsField(std::int32_t bytes, int bits) {
  return static_cast<std::uint64_t>(bytes / 8) & ((1ULL << bits) - 1);
}
constexpr std::int32_t BytesOfField(std::uint64_t field, int bits) {
  const std::uint64_t sign = 1ULL << (bits - 1);
  field &= (1ULL << bits) - 1;
  const auto words =
      static_cast<std::int64_t>(field ^ sign) - static_cast<std::int64_t>(sign);
  return static_cast<std::int32_t>(words * 8);
}

}  // namespace internal

// Returns 0 for a rule that has no word. REQUIRES: rule.HasCfa().
constexpr std::uint64_t RuleToWord(const UnwindRule& rule) {
  using internal::FitsWords;
  using internal::WordsField;
  if (!FitsWords(rule.cfa_offset, 27) || !FitsWords(rule.rbp_offset, 20) ||
      !FitsWords(rule.cfa_addend, 8) || rule.base > 15) {
    return 0;
  }
  return static_cast<std::uint64_t>(rule.kind) |
         static_cast<std::uint64_t>(rule.rbp) << 3 |
         static_cast<std::uint64_t>(rule.base) << 5 |
         WordsField(rule.cfa_addend, 8) << 9 |
         WordsField(rule.rbp_offset, 20) << 17 |
         WordsField(rule.cfa_offset, 27) << 37;
}

constexpr UnwindRule RuleFromWord(std::uint64_t word) {
  using internal::BytesOfField;
  UnwindRule rule;
  rule.kind = static_cast<RuleKind>(word & 7);
  rule.rbp = static_cast<RbpRule>(word >> 3 & 3);
  rule.base = static_cast<std::uint8_t>(word >> 5 & 15);
  rule.cfa_addend = BytesOfField(word >> 9, 8);
  rule.rbp_offset = BytesOfField(word >> 17, 20);
  rule.cfa_offset = BytesOfField(word >> 37, 27);
  return rule;
}

}  // namespace heapledger::preload::unwind
