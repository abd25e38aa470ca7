// SPDX-License-Identifier: Apache-2.0
#include "preload/unwind/unwind_rule.h"

#include <gtest/gtest.h>

#include <vector>

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

TEST(RuleCodeTest, EveryCommonFormSurvivesTheRoundTrip) {
  for (const std::uint8_t base : {kDwarfRsp, kDwarfRbp}) {
    for (std::int32_t cfa = 8; cfa <= 511 * 8; cfa += 8) {
      for (std::int32_t slot = 0; slot < 32; ++slot) {
        const UnwindRule rule =
            Offset(base, cfa, slot == 0 ? 0 : -8 * (slot + 1));
        const RuleCode code = EncodeRule(rule);
        ASSERT_TRUE(IsCommonRule(code));
        ASSERT_EQ(DecodeRule(code), rule);
        ASSERT_EQ(CommonRuleConsumesRbp(code), rule.ConsumesRbp());
      }
    }
  }
}

TEST(RuleCodeTest, KindsWithoutFieldsNeedNoDictionary) {
  for (const RuleKind kind :
       {RuleKind::kUnusable, RuleKind::kNoCfi, RuleKind::kEndOfStack,
        RuleKind::kSignalFrame, RuleKind::kPlantedReturn}) {
    const RuleCode code = EncodeRule(UnwindRule::Of(kind));
    EXPECT_NE(code, kNoRuleCode);
    EXPECT_FALSE(IsCommonRule(code));
    EXPECT_EQ(DecodeRule(code), UnwindRule::Of(kind));
  }
}

TEST(RuleCodeTest, OtherFormsHaveNoCode) {
  UnwindRule deref = Offset(kDwarfRbp, -8);
  deref.kind = RuleKind::kDeref;
  UnwindRule lost = Offset(kDwarfRsp, 16);
  lost.rbp = RbpRule::kLost;
  for (const UnwindRule& rule :
       {Offset(kDwarfRsp, 512 * 8), Offset(kDwarfRsp, 0), Offset(kDwarfRsp, 12),
        Offset(kDwarfRsp, 16, -8), Offset(kDwarfRsp, 16, -264),
        Offset(kDwarfRsp, 16, -20), Offset(kDwarfRbx, 16),
        Offset(kDwarfRbp, -16), deref, lost}) {
    EXPECT_EQ(EncodeRule(rule), kNoRuleCode);
  }
}

TEST(RuleWordTest, EveryFormWithACfaSurvivesTheRoundTrip) {
  for (const RuleKind kind : {RuleKind::kOffset, RuleKind::kDeref}) {
    for (const std::uint8_t base : {kDwarfRsp, kDwarfRbp, kDwarfRbx}) {
      for (const RbpRule rbp : {RbpRule::kUnchanged, RbpRule::kSavedAtCfa,
                                RbpRule::kSavedAtRbp, RbpRule::kLost}) {
        for (const std::int32_t offset : {0, 8, -8, 1 << 20, -(1 << 20)}) {
          UnwindRule rule = UnwindRule::Of(kind);
          rule.base = base;
          rule.rbp = rbp;
          rule.cfa_offset = offset;
          rule.rbp_offset = -offset;
          rule.cfa_addend = kind == RuleKind::kDeref ? 16 : 0;
          const std::uint64_t word = RuleToWord(rule);
          ASSERT_NE(word, 0U);
          ASSERT_EQ(RuleFromWord(word), rule);
        }
      }
    }
  }
}

TEST(RuleWordTest, OffsetsThatDoNotFitHaveNoWord) {
  EXPECT_EQ(RuleToWord(Offset(kDwarfRsp, 12)), 0U);
  EXPECT_EQ(RuleToWord(Offset(kDwarfRsp, 1 << 30)), 0U);
  EXPECT_NE(RuleToWord(Offset(kDwarfRsp, (1 << 29) - 8)), 0U);
  EXPECT_EQ(RuleToWord(Offset(kDwarfRsp, 64, 1 << 22)), 0U);
  EXPECT_NE(RuleToWord(Offset(kDwarfRsp, 64, -(1 << 22))), 0U);
}

TEST(UnwindRuleTest, SaysWhetherItConsumesAndPassesRbp) {
  EXPECT_FALSE(Offset(kDwarfRsp, 16).ConsumesRbp());
  EXPECT_TRUE(Offset(kDwarfRsp, 16).PassesRbp());
  EXPECT_TRUE(Offset(kDwarfRbp, 16, -16).ConsumesRbp());
  EXPECT_FALSE(Offset(kDwarfRbp, 16, -16).PassesRbp());
  EXPECT_FALSE(Offset(kDwarfRsp, 24, -16).ConsumesRbp());
  EXPECT_TRUE(UnwindRule::Of(RuleKind::kNoCfi).ConsumesRbp());
  EXPECT_FALSE(UnwindRule::Of(RuleKind::kSignalFrame).ConsumesRbp());
  EXPECT_FALSE(UnwindRule::Of(RuleKind::kEndOfStack).PassesRbp());
}

}  // namespace
}  // namespace heapledger::preload::unwind
