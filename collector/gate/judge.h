// SPDX-License-Identifier: Apache-2.0
// From what the rounds left behind to a verdict. Pure: no clock, no file.
//
// A callsite fails the gate only if it leaked in every round; a budget, if
// every round went over it. That is what rounds are for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "collector/gate/baseline.h"
#include "collector/gate/finding.h"
#include "collector/gate/policy.h"
#include "collector/gate/round.h"
#include "collector/gate/suppressions.h"

namespace heapledger::collector::gate {

enum class Verdict { kPass, kLeak, kNotMeasured };

enum class Evidence {
  kUnreachable,
  kLive,    // not freed, whether reachable or not
  kGrowth,  // more of it live after every round
};

enum class FindingState {
  kNew,
  kKnown,       // in the baseline
  kSuppressed,  // by a rule
  kUnsteady,    // not in every round
};

[[nodiscard]] std::string_view VerdictWord(Verdict verdict);
[[nodiscard]] std::string_view EvidenceWord(Evidence evidence);
[[nodiscard]] std::string_view StateWord(FindingState state);

struct JudgedFinding {
  Finding finding;  // of the round in which it left least
  Evidence evidence = Evidence::kUnreachable;
  FindingState state = FindingState::kNew;
  Amount amount;                        // what it is judged by
  std::size_t rounds = 0;               // in which it was found
  std::optional<std::size_t> rule;      // of Suppressions, that covers it
  std::optional<std::size_t> too_much;  // one that would, but for its max
  std::optional<KnownLeak> known;
};

struct Budget {
  std::string name;  // as its option, and what it is of
  std::uint64_t limit = 0;
  std::uint64_t value = 0;  // of the best round
  bool in_bytes = true;
  [[nodiscard]] bool exceeded() const { return value > limit; }
};

struct Judgement {
  Verdict verdict = Verdict::kPass;
  // The worst of the rounds: the program's own, 0 where all went well.
  int program_status = 0;
  std::size_t rounds = 0;
  std::vector<JudgedFinding> findings;  // new ones first, then by bytes
  std::vector<Budget> budgets;          // max-leaked first, always there
  std::vector<std::pair<Fingerprint, KnownLeak>> fixed;  // known, not found
  std::vector<ProcessImage> images;                      // of the last round
  std::vector<MissingImage> unmeasured;  // of all rounds, each program once
  bool unmeasured_allowed = false;
  std::vector<std::string> remarks;  // of all rounds, each once
  Amount reachable;  // live at the end of judged images, in the last round
  std::vector<SuppressionRule> unused_rules;
  std::vector<SuppressionRule> expired_rules;  // and that would have fitted
  // For every rule of the suppressions, what it covered.
  std::vector<Amount> covered;
  std::vector<SuppressionRule> rules;

  [[nodiscard]] std::size_t Count(FindingState state) const;
  [[nodiscard]] Amount Sum(FindingState state) const;
  [[nodiscard]] std::size_t judged_images() const;
};

// REQUIRES: at least one round.
[[nodiscard]] Judgement Judge(std::span<const Round> rounds,
                              const Policy& policy,
                              const Suppressions& suppressions,
                              const Baseline& baseline, Day today);

// The leaks of a judgement that a baseline would take up: new and known ones.
[[nodiscard]] Baseline BaselineOf(const Judgement& judgement);

}  // namespace heapledger::collector::gate
