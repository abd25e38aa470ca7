// SPDX-License-Identifier: Apache-2.0
#include "preload/unwind/rule_from_cfi.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/preload/unwind/eh_frame_builder.h"

namespace heapledger::preload::unwind {
namespace {

UnwindRule Offset(std::uint8_t base, std::int32_t cfa_offset,
                  std::int32_t rbp_offset = 0) {
  UnwindRule rule = UnwindRule::Of(RuleKind::kOffset);
  rule.base = base;
  rule.cfa_offset = cfa_offset;
  if (rbp_offset != 0) {
    rule.rbp = RbpRule::kSavedAtCfa;
    rule.rbp_offset = rbp_offset;
  }
  return rule;
}

// The rule at `at` bytes into a function of 64 bytes with these instructions.
UnwindRule RuleAt(std::uint64_t at, const Bytes& instructions,
                  const Bytes& initial = UsualInitial()) {
  EhFrameBuilder builder;
  const EhFrameSection section =
      builder.Cie(initial).Fde(0, 64, instructions).Build();
  return RuleFromCfi(section, builder.code() + at);
}

// push rbp; mov rbp, rsp; …; leave
const Bytes kFramePointerFunction = {
    0x41,         // advance 1
    0x0e, 16,     // CFA = rsp + 16
    0x86, 2,      // rbp at CFA − 16
    0x43,         // advance 3
    0x0d, 6,      // CFA = rbp + 16
    0x02, 40,     // advance 40
    0x0c, 7,  8,  // CFA = rsp + 8
    0xc6,         // rbp restored
};

TEST(RuleFromCfiTest, FollowsTheRowsOfAFunctionWithAFramePointer) {
  EXPECT_EQ(RuleAt(0, kFramePointerFunction), Offset(kDwarfRsp, 8));
  EXPECT_EQ(RuleAt(1, kFramePointerFunction), Offset(kDwarfRsp, 16, -16));
  EXPECT_EQ(RuleAt(3, kFramePointerFunction), Offset(kDwarfRsp, 16, -16));
  EXPECT_EQ(RuleAt(4, kFramePointerFunction), Offset(kDwarfRbp, 16, -16));
  EXPECT_EQ(RuleAt(43, kFramePointerFunction), Offset(kDwarfRbp, 16, -16));
  EXPECT_EQ(RuleAt(44, kFramePointerFunction), Offset(kDwarfRsp, 8));
}

TEST(RuleFromCfiTest, CodeOutsideEveryFunctionHasNoCfi) {
  EXPECT_EQ(RuleAt(64, kFramePointerFunction).kind, RuleKind::kNoCfi);
}

TEST(RuleFromCfiTest, AReturnAddressAtTheStartOfAFunctionWasPlanted) {
  EXPECT_EQ(RuleAt(~0ULL, kFramePointerFunction).kind,
            RuleKind::kPlantedReturn);
  EXPECT_EQ(RuleAt(~1ULL, kFramePointerFunction).kind, RuleKind::kNoCfi);
}

TEST(RuleFromCfiTest, FindsEachFunctionWithAndWithoutATable) {
  for (const bool with_table : {true, false}) {
    EhFrameBuilder builder;
    builder.Cie();
    for (std::uint8_t i = 0; i < 50; ++i) {
      builder.Fde(i * 32U, 16,
                  {0x0e, static_cast<std::uint8_t>(16 + 8 * (i % 10))});
    }
    const EhFrameSection section =
        with_table ? builder.Build() : builder.BuildWithoutTable();
    for (std::uint8_t i = 0; i < 50; ++i) {
      const std::uint64_t start = builder.code() + i * 32U;
      const UnwindRule expected = Offset(kDwarfRsp, 16 + 8 * (i % 10));
      EXPECT_EQ(RuleFromCfi(section, start), expected);
      EXPECT_EQ(RuleFromCfi(section, start + 15), expected);
      EXPECT_EQ(RuleFromCfi(section, start + 16).kind, RuleKind::kNoCfi);
    }
  }
}

TEST(RuleFromCfiTest, RestoreStateGoesBackToWhatWasRemembered) {
  const Bytes program = {0x0e, 32, 0x0a, 0x44, 0x0e, 8, 0x44, 0x0b};
  EXPECT_EQ(RuleAt(0, program), Offset(kDwarfRsp, 32));
  EXPECT_EQ(RuleAt(4, program), Offset(kDwarfRsp, 8));
  EXPECT_EQ(RuleAt(8, program), Offset(kDwarfRsp, 32));
}

TEST(RuleFromCfiTest, AdvancesOfEveryWidthCount) {
  const Bytes program = {0x02, 4,    0x0e, 16, 0x03, 4, 0,    0x0e,
                         24,   0x04, 4,    0,  0,    0, 0x0e, 32};
  EXPECT_EQ(RuleAt(3, program), Offset(kDwarfRsp, 8));
  EXPECT_EQ(RuleAt(4, program), Offset(kDwarfRsp, 16));
  EXPECT_EQ(RuleAt(8, program), Offset(kDwarfRsp, 24));
  EXPECT_EQ(RuleAt(12, program), Offset(kDwarfRsp, 32));
}

TEST(RuleFromCfiTest, SignedAndExtendedFormsMeanTheSame) {
  // def_cfa_sf rsp −4 (× −8); offset_extended rbp 3; offset_extended_sf rbp 2
  EXPECT_EQ(RuleAt(0, {0x12, 7, 0x7c}), Offset(kDwarfRsp, 32));
  EXPECT_EQ(RuleAt(0, {0x13, 0x7c}), Offset(kDwarfRsp, 32));
  EXPECT_EQ(RuleAt(0, {0x0e, 32, 0x05, 6, 3}), Offset(kDwarfRsp, 32, -24));
  EXPECT_EQ(RuleAt(0, {0x0e, 32, 0x11, 6, 2}), Offset(kDwarfRsp, 32, -16));
  EXPECT_EQ(RuleAt(0, {0x0e, 32, 0x05, 6, 3, 0x06, 6}), Offset(kDwarfRsp, 32));
  EXPECT_EQ(RuleAt(0, {0x0e, 32, 0x05, 6, 3, 0x08, 6}), Offset(kDwarfRsp, 32));
}

TEST(RuleFromCfiTest, RegistersThatAWalkDoesNotNeedAreSkipped) {
  const Bytes program = {0x83, 2,                // rbx at CFA − 16
                         0x09, 12, 13,           // r12 in r13
                         0x07, 2,                // rcx undefined
                         0x14, 14, 3,            // r14 = CFA − 24
                         0x16, 15, 2,  0x77, 0,  // r15 a value expression
                         0x10, 3,  2,  0x77, 8,  // rbx at an expression
                         0x2e, 16,               // GNU_args_size
                         0x0e, 48};
  EXPECT_EQ(RuleAt(0, program), Offset(kDwarfRsp, 48));
}

TEST(RuleFromCfiTest, RealignedFramesReadTheCfaFromMemory) {
  const Bytes program = {
      0x0f, 3, 0x76, 0x78, 0x06,  // CFA = *(rbp − 8)
      0x10, 6, 2,    0x76, 0,     // rbp at *(rbp)
  };
  const UnwindRule rule = RuleAt(0, program);
  EXPECT_EQ(rule.kind, RuleKind::kDeref);
  EXPECT_EQ(rule.base, kDwarfRbp);
  EXPECT_EQ(rule.cfa_offset, -8);
  EXPECT_EQ(rule.cfa_addend, 0);
  EXPECT_EQ(rule.rbp, RbpRule::kSavedAtRbp);
  EXPECT_EQ(rule.rbp_offset, 0);
  EXPECT_TRUE(rule.ConsumesRbp());
}

TEST(RuleFromCfiTest, HandWrittenCodeMayKeepTheOldStackPointerOnTheStack) {
  // CFA = *(rsp + 56) + 8, as OpenSSL's assembly says it.
  const UnwindRule rule = RuleAt(0, {0x0f, 5, 0x77, 56, 0x06, 0x23, 8});
  EXPECT_EQ(rule.kind, RuleKind::kDeref);
  EXPECT_EQ(rule.base, kDwarfRsp);
  EXPECT_EQ(rule.cfa_offset, 56);
  EXPECT_EQ(rule.cfa_addend, 8);
}

TEST(RuleFromCfiTest, ThePltExpressionFoldsToAnOffset) {
  const Bytes program = {0x0f, 11,   0x77, 8,    0x80, 0,   0x3f,
                         0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22};
  EhFrameBuilder builder;
  const EhFrameSection section = builder.Cie().Fde(0, 64, program).Build();
  for (std::uint64_t at = 0; at < 64; ++at) {
    const std::uint64_t pc = builder.code() + at;
    EXPECT_EQ(RuleFromCfi(section, pc),
              Offset(kDwarfRsp, (pc & 15) >= 11 ? 16 : 8));
  }
}

TEST(RuleFromCfiTest, AnUndefinedReturnAddressEndsTheStack) {
  EXPECT_EQ(RuleAt(0, {0x07, 16}).kind, RuleKind::kEndOfStack);
}

TEST(RuleFromCfiTest, SignalFramesAreThoseWhoseReturnAddressIsInTheUcontext) {
  const auto rule_of = [](const Bytes& instructions) {
    EhFrameBuilder builder;
    const EhFrameSection section =
        builder.Cie(UsualInitial(), "zRS").Fde(0, 64, instructions).Build();
    return RuleFromCfi(section, builder.code());
  };
  EXPECT_EQ(rule_of({0x10, 16, 3, 0x77, 0xa8, 0x01}).kind,
            RuleKind::kSignalFrame);
  EXPECT_EQ(rule_of({0x10, 16, 3, 0x77, 0xa0, 0x01}).kind, RuleKind::kUnusable);
  EXPECT_EQ(rule_of({}).kind, RuleKind::kUnusable);
}

TEST(RuleFromCfiTest, WhatARuleCannotSayIsUnusable) {
  EXPECT_EQ(RuleAt(0, {0x90, 2}).kind, RuleKind::kUnusable);        // RA −16
  EXPECT_EQ(RuleAt(0, {0x09, 16, 2}).kind, RuleKind::kUnusable);    // RA in rcx
  EXPECT_EQ(RuleAt(0, {0x87, 2}).kind, RuleKind::kUnusable);        // rsp saved
  EXPECT_EQ(RuleAt(0, {0x0e, 12}).kind, RuleKind::kUnusable);       // unaligned
  EXPECT_EQ(RuleAt(0, {0x0c, 40, 8}).kind, RuleKind::kUnusable);    // CFA xmm
  EXPECT_EQ(RuleAt(0, {0x0f, 1, 0x96}).kind, RuleKind::kUnusable);  // nop
  EXPECT_EQ(RuleAt(0, {0x2d}).kind, RuleKind::kUnusable);           // SPARC's
}

TEST(RuleFromCfiTest, AnRbpThatCannotBeToldIsLostAndTheFrameIsNot) {
  for (const Bytes& program :
       {Bytes{0x07, 6}, Bytes{0x09, 6, 2}, Bytes{0x16, 6, 2, 0x77, 0},
        Bytes{0x14, 6, 2}, Bytes{0x10, 6, 3, 0x77, 0, 0x06}}) {
    const UnwindRule rule = RuleAt(0, program);
    EXPECT_EQ(rule.kind, RuleKind::kOffset);
    EXPECT_EQ(rule.rbp, RbpRule::kLost);
  }
}

TEST(RuleFromCfiTest, OtherBaseRegistersAreNamed) {
  const UnwindRule rule = RuleAt(0, {0x0c, 3, 32});
  EXPECT_EQ(rule, Offset(kDwarfRbx, 32));
}

TEST(ReadCfiTest, FollowsOneMoreRegister) {
  EhFrameBuilder builder;
  const EhFrameSection section =
      builder.Cie().Fde(0, 64, {0x44, 0x0e, 16, 0x83, 2}).Build();
  using Kind = RegisterRule::Kind;
  EXPECT_EQ(ReadCfi(section, builder.code(), kDwarfRbx).extra.kind,
            Kind::kUnset);
  const RegisterRule saved =
      ReadCfi(section, builder.code() + 4, kDwarfRbx).extra;
  EXPECT_EQ(saved.kind, Kind::kAtCfa);
  EXPECT_EQ(saved.offset, -16);
  EXPECT_EQ(ReadCfi(section, builder.code() + 4, 12).extra.kind, Kind::kUnset);
}

TEST(CieTest, PersonalityAndLanguageDataAreSteppedOver) {
  EhFrameBuilder builder;
  const EhFrameSection section =
      builder.Cie(UsualInitial(), "zPLR", {0x9b, 1, 2, 3, 4, 0x1b, 0x1b})
          .Fde(0, 64, {0x0e, 24})
          .Build();
  EXPECT_EQ(RuleFromCfi(section, builder.code()), Offset(kDwarfRsp, 24));
}

TEST(CieTest, UnknownAugmentationsAreRefused) {
  for (const std::string augmentation : {"zX", "eh", "R"}) {
    EhFrameBuilder builder;
    const EhFrameSection section =
        builder.Cie(UsualInitial(), augmentation).Fde(0, 64, {}).Build();
    EXPECT_EQ(RuleFromCfi(section, builder.code()).kind, RuleKind::kNoCfi);
  }
}

// --- Hostile bytes.

TEST(HostileCfiTest, EndlessAndNestedProgramsAreUnusable) {
  EXPECT_EQ(RuleAt(0, Bytes(100, 0x0a)).kind, RuleKind::kUnusable);
  EXPECT_EQ(RuleAt(0, {0x0b}).kind, RuleKind::kUnusable);
  EXPECT_EQ(RuleAt(0, {0x0f, 0xff, 0xff, 0xff, 0x7f}).kind,
            RuleKind::kUnusable);
}

TEST(HostileCfiTest, OffsetsNearTheLimitsOfIntegersAreUnusable) {
  Bytes program = {0x0f, 12, 0x77};  // CFA = rsp + huge + huge
  for (int i = 0; i < 9; ++i) program.push_back(0x80);
  program.push_back(0x7f);
  program.push_back(0x06);
  EXPECT_EQ(RuleAt(0, program).kind, RuleKind::kUnusable);
  Bytes plain = {0x0e};
  for (int i = 0; i < 8; ++i) plain.push_back(0xff);
  plain.push_back(0x7f);
  EXPECT_EQ(RuleAt(0, plain).kind, RuleKind::kUnusable);
}

// Each byte of a section is changed in turn, then bytes at random: every answer
// is some rule, and (under a sanitizer) no byte outside the section is read.
TEST(HostileCfiTest, MutatedSectionsGiveSomeRule) {
  std::uint64_t random = 0x243f6a8885a308d3ULL;
  const auto next = [&random] {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    return random;
  };
  for (int round = 0; round < 2000; ++round) {
    EhFrameBuilder builder;
    builder.Cie()
        .Fde(0, 64, kFramePointerFunction)
        .Fde(64, 64, {0x0f, 3, 0x76, 0x78, 0x06, 0x10, 6, 2, 0x76, 0})
        .Cie(UsualInitial(), "zPLR", {0x9b, 1, 2, 3, 4, 0x1b, 0x1b})
        .Fde(128, 64, {0x0a, 0x44, 0x0e, 32, 0x0b});
    EhFrameSection section =
        round % 2 == 0 ? builder.Build() : builder.BuildWithoutTable();
    // An exact copy, so that a sanitizer sees a read past the end.
    const auto hdr = section.eh_frame_hdr - section.readable.start;
    Bytes copy(
        builder.bytes().begin(),
        builder.bytes().begin() + static_cast<std::ptrdiff_t>(builder.size()));
    for (int i = 0; i <= round % 4; ++i) {
      copy[next() % copy.size()] = static_cast<std::uint8_t>(next());
    }
    const auto start = reinterpret_cast<std::uint64_t>(copy.data());
    section = {start + hdr, {start, start + copy.size()}};
    const std::uint64_t code = start + 0x100000;
    for (const std::uint64_t at : {0, 5, 70, 130, 200}) {
      const UnwindRule rule = RuleFromCfi(section, code + at);
      ASSERT_LE(static_cast<int>(rule.kind), 6);
    }
  }
}

}  // namespace
}  // namespace heapledger::preload::unwind
