// SPDX-License-Identifier: Apache-2.0
// From the CFI of a pc to its unwind rule. Where the CFI says something that a
// rule cannot hold the answer is kUnusable, never a guess: a stack that ends
// early says so, a wrong one does not.
#pragma once

#include <cstdint>

#include "preload/unwind/byte_reader.h"
#include "preload/unwind/cfa_expression.h"
#include "preload/unwind/cfa_program.h"
#include "preload/unwind/eh_frame.h"
#include "preload/unwind/eh_frame_hdr.h"
#include "preload/unwind/registers.h"
#include "preload/unwind/unwind_rule.h"

namespace heapledger::preload::unwind {

// Where the kernel puts the interrupted registers: at the pc of __restore_rt,
// rsp points at a ucontext_t, whose gregs begin at 40 in the order of
// <sys/ucontext.h> (REG_RBP 10, REG_RSP 15, REG_RIP 16). ABI of the kernel:
// struct rt_sigframe, arch/x86/include/asm/sigframe.h.
inline constexpr std::uint64_t kUcontextGregs = 40;
inline constexpr std::uint64_t kUcontextRbp = kUcontextGregs + 10 * 8;
inline constexpr std::uint64_t kUcontextRsp = kUcontextGregs + 15 * 8;
inline constexpr std::uint64_t kUcontextRip = kUcontextGregs + 16 * 8;

namespace internal {

// Offsets of rules are 32-bit; a rule holds no larger frame.
constexpr bool FitsOffset(std::int64_t value) {
  return value % 8 == 0 && value > -(1LL << 31) && value < (1LL << 31);
}

inline bool SetCfa(const CfaRow& row, std::uint64_t pc, UnwindRule* rule) {
  CfaExpression cfa;
  if (row.cfa_is_expression) {
    cfa = RecogniseExpression(row.cfa_expression, pc);
  } else {
    cfa.known = row.cfa_register != kNoRegister;
    cfa.base = row.cfa_register;
    cfa.offset = row.cfa_offset;
  }
  if (!cfa.known || !FitsOffset(cfa.offset) || !FitsOffset(cfa.addend)) {
    return false;
  }
  rule->kind = cfa.dereferences ? RuleKind::kDeref : RuleKind::kOffset;
  rule->base = cfa.base;
  rule->cfa_offset = static_cast<std::int32_t>(cfa.offset);
  rule->cfa_addend = static_cast<std::int32_t>(cfa.addend);
  return true;
}

// A value of rbp that cannot be told is lost, not an error: most often no outer
// frame asks for it.
inline void SetRbp(const CfaRow& row, std::uint64_t pc, UnwindRule* rule) {
  using Kind = RegisterRule::Kind;
  std::int64_t offset = row.rbp.offset;
  RbpRule kind = RbpRule::kLost;
  if (row.rbp.kind == Kind::kUnset || row.rbp.kind == Kind::kSame) {
    kind = RbpRule::kUnchanged;
    offset = 0;
  } else if (row.rbp.kind == Kind::kAtCfa) {
    kind = RbpRule::kSavedAtCfa;
  } else if (row.rbp.kind == Kind::kAtExpression) {
    const CfaExpression at = RecogniseExpression(row.rbp.expression, pc);
    offset = at.offset;
    if (!at.known || at.dereferences) {
      kind = RbpRule::kLost;
    } else if (at.base == kDwarfRbp) {
      kind = RbpRule::kSavedAtRbp;
    } else if (at.base == kDwarfRsp && rule->base == kDwarfRsp &&
               rule->kind == RuleKind::kOffset) {
      kind = RbpRule::kSavedAtCfa;
      offset -= rule->cfa_offset;
    }
  }
  if (kind == RbpRule::kLost || !FitsOffset(offset)) {
    rule->rbp = RbpRule::kLost;
    rule->rbp_offset = 0;
    return;
  }
  rule->rbp = kind;
  rule->rbp_offset = static_cast<std::int32_t>(offset);
}

// Only glibc's __restore_rt is known to be a frame of the kernel's making: its
// return address lies in the ucontext_t. Other frames marked 'S' are unusable.
inline UnwindRule SignalRule(const CfaRow& row, std::uint64_t pc) {
  if (row.return_address.kind == RegisterRule::Kind::kAtExpression) {
    const CfaExpression rip =
        RecogniseExpression(row.return_address.expression, pc);
    if (rip.known && !rip.dereferences && rip.base == kDwarfRsp &&
        rip.offset == static_cast<std::int64_t>(kUcontextRip)) {
      return UnwindRule::Of(RuleKind::kSignalFrame);
    }
  }
  return UnwindRule::Of(RuleKind::kUnusable);
}

inline UnwindRule RuleFromRow(const CfaRow& row, bool is_signal_frame,
                              std::uint64_t pc) {
  using Kind = RegisterRule::Kind;
  if (is_signal_frame) return SignalRule(row, pc);
  if (row.return_address.kind == Kind::kUndefined) {
    return UnwindRule::Of(RuleKind::kEndOfStack);
  }
  const bool usual_return_address = row.return_address.kind == Kind::kAtCfa &&
                                    row.return_address.offset == -8;
  const bool usual_rsp =
      row.rsp.kind == Kind::kUnset ||
      (row.rsp.kind == Kind::kCfaPlus && row.rsp.offset == 0);
  UnwindRule rule;
  if (!usual_return_address || !usual_rsp || !SetCfa(row, pc, &rule)) {
    return UnwindRule::Of(RuleKind::kUnusable);
  }
  SetRbp(row, pc, &rule);
  return rule;
}

}  // namespace internal

// What the CFI says about a pc: its rule, and that of one more register.
struct CfiAnswer {
  UnwindRule rule;
  RegisterRule extra;
};

// `pc` is an address inside the instruction: a return address less one, or an
// interrupted pc.
[[gnu::noinline]] inline CfiAnswer ReadCfi(const EhFrameSection& section,
                                           std::uint64_t pc,
                                           std::uint8_t extra_register) {
  const Fde fde = FindFde(section, pc);
  if (!fde.valid) {
    const Fde next = FindFde(section, pc + 1);
    const bool planted = next.valid && next.pc_start == pc + 1;
    return {
        UnwindRule::Of(planted ? RuleKind::kPlantedReturn : RuleKind::kNoCfi),
        {}};
  }
  CfaProgram program(
      {fde.cie.code_align, fde.cie.data_align, fde.cie.pointer_encoding},
      extra_register);
  if (!program.RunInitial(fde.cie.instructions) ||
      !program.RunTo(fde.instructions, fde.pc_start, pc)) {
    return {UnwindRule::Of(RuleKind::kUnusable), {}};
  }
  return {internal::RuleFromRow(program.row(), fde.cie.is_signal_frame, pc),
          program.row().extra};
}

inline UnwindRule RuleFromCfi(const EhFrameSection& section, std::uint64_t pc) {
  return ReadCfi(section, pc, kNoRegister).rule;
}

}  // namespace heapledger::preload::unwind
