// SPDX-License-Identifier: Apache-2.0
#include "collector/leaks/callsite_watch.h"

namespace heapledger::collector {
namespace {

// Judgements in a row before a tier's word counts.
constexpr std::size_t kStreak = 3;
// A slope this much above that of a wider window is a new rise, not the tail of
// the one that the wider window sees.
constexpr double kNewRise = 1.1;

}  // namespace

void CallsiteWatch::Add(std::uint64_t time_ns, const HeapCounters& counters) {
  const std::size_t closed = history_.Add(time_ns, counters);
  for (std::size_t tier = 0; tier < closed; ++tier) Judge(tier);
  for (Verdict& verdict : verdicts_) {
    if (verdict.until_ns == 0) continue;
    const GrowthEvidence& growth = verdict.growth;
    const bool came_back =
        counters.live_bytes() < growth.floor_bytes - growth.rise_bytes / 2;
    if (came_back || time_ns > verdict.until_ns) {
      verdict.until_ns = 0;
      verdict.streak = 0;
    }
  }
}

void CallsiteWatch::Judge(std::size_t tier) {
  Verdict& verdict = verdicts_[tier];
  verdict.judgement = JudgeGrowth(history_, tier, options_);
  if (verdict.judgement.shape != GrowthShape::kGrowing) {
    verdict.streak = 0;
    return;
  }
  verdict.growth = verdict.judgement.evidence;
  if (++verdict.streak < kStreak) return;
  verdict.until_ns = history_.newest_ns() + verdict.growth.window_ns / 4;
}

bool CallsiteWatch::Overruled(std::size_t tier) const {
  for (std::size_t i = tier + 1; i < verdicts_.size(); ++i) {
    const GrowthJudgement& wider = verdicts_[i].judgement;
    if (wider.shape != GrowthShape::kGrowing &&
        verdicts_[tier].growth.bytes_per_second <=
            kNewRise * wider.evidence.bytes_per_second) {
      return true;
    }
  }
  return false;
}

std::optional<std::size_t> CallsiteWatch::growing_tier() const {
  for (std::size_t tier = verdicts_.size(); tier-- > 0;) {
    if (verdicts_[tier].until_ns != 0 && !Overruled(tier)) return tier;
  }
  return std::nullopt;
}

const GrowthEvidence* CallsiteWatch::growth() const {
  const auto tier = growing_tier();
  return tier ? &verdicts_[*tier].growth : nullptr;
}

const GrowthJudgement& CallsiteWatch::widest() const {
  for (std::size_t tier = verdicts_.size(); tier-- > 1;) {
    if (verdicts_[tier].judgement.shape != GrowthShape::kTooEarly) {
      return verdicts_[tier].judgement;
    }
  }
  return verdicts_[0].judgement;
}

}  // namespace heapledger::collector
