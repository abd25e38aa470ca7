// SPDX-License-Identifier: Apache-2.0
#include "collector/gate/judge.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"

namespace heapledger::collector::gate {
namespace {

constexpr auto kNothingYet = std::numeric_limits<std::uint64_t>::max();

Amount AmountOf(const Finding& finding, Judged judged) {
  return judged == Judged::kAllLive ? finding.live : finding.unreachable();
}

// Every callsite with anything to judge, by its smallest round.
std::vector<JudgedFinding> Leaks(std::span<const Round> rounds, Judged judged) {
  std::map<Fingerprint, JudgedFinding> leaks;
  for (const Round& round : rounds) {
    for (const auto& [callsite, finding] : round.callsites) {
      const Amount amount = AmountOf(finding, judged);
      // A block of no bytes leaks all the same.
      if (amount.objects == 0) continue;
      const auto [place, is_first] = leaks.try_emplace(callsite);
      JudgedFinding& leak = place->second;
      ++leak.rounds;
      if (!is_first && leak.amount.bytes <= amount.bytes) continue;
      leak.finding = finding;
      leak.amount = amount;
      leak.evidence = finding.unreachable().objects > 0 ? Evidence::kUnreachable
                                                        : Evidence::kLive;
    }
  }
  std::vector<JudgedFinding> list;
  for (auto& [callsite, leak] : leaks) list.push_back(std::move(leak));
  return list;
}

Amount LiveOf(const Round& round, Fingerprint callsite) {
  const auto found = round.callsites.find(callsite);
  return found == round.callsites.end() ? Amount{} : found->second.live;
}

// Callsites that left more after every round than after the one before.
std::vector<JudgedFinding> Grown(std::span<const Round> rounds) {
  std::vector<JudgedFinding> grown;
  const Round nothing;
  const Round& start = rounds.size() == 1 ? nothing : rounds.front();
  for (const auto& [callsite, finding] : rounds.back().callsites) {
    Amount before = LiveOf(start, callsite);
    const Amount first = before;
    bool every_round = true;
    for (const Round& round : rounds.subspan(rounds.size() == 1 ? 0 : 1)) {
      const Amount now = LiveOf(round, callsite);
      every_round = every_round && now.bytes > before.bytes;
      before = now;
    }
    if (!every_round) continue;
    JudgedFinding found;
    found.finding = finding;
    found.evidence = Evidence::kGrowth;
    found.amount = {finding.live.bytes - first.bytes,
                    finding.live.objects > first.objects
                        ? finding.live.objects - first.objects
                        : 0};
    found.rounds = rounds.size();
    grown.push_back(std::move(found));
  }
  return grown;
}

// Which rule covers what, and how much.
class RuleBook {
 public:
  RuleBook(const Suppressions& suppressions, Day today)
      : suppressions_(suppressions),
        today_(today),
        covered_(suppressions.rules().size()),
        used_(suppressions.rules().size()) {}

  // All findings of one kind of evidence: a rule's `max` is over them together.
  void Apply(std::vector<JudgedFinding>& findings) {
    std::vector<Amount> sums(covered_.size());
    for (JudgedFinding& judged : findings) {
      std::vector<std::size_t> expired;
      judged.rule = suppressions_.Match(judged.finding, today_, &expired);
      expired_.insert(expired.begin(), expired.end());
      if (judged.rule) sums[*judged.rule] += judged.amount;
    }
    for (JudgedFinding& judged : findings) {
      if (!judged.rule) continue;
      const std::size_t rule = *judged.rule;
      used_[rule] = true;
      const auto& max = suppressions_.rules()[rule].max_bytes;
      if (max && sums[rule].bytes > *max) {
        judged.too_much = std::exchange(judged.rule, std::nullopt);
        continue;
      }
      judged.state = FindingState::kSuppressed;
      covered_[rule] += judged.amount;
    }
  }

  void Report(Judgement& judgement) {
    judgement.rules = suppressions_.rules();
    judgement.covered = covered_;
    for (std::size_t i = 0; i < used_.size(); ++i) {
      const SuppressionRule& rule = suppressions_.rules()[i];
      if (expired_.contains(i)) {
        judgement.expired_rules.push_back(rule);
      } else if (!used_[i]) {
        judgement.unused_rules.push_back(rule);
      }
    }
  }

 private:
  const Suppressions& suppressions_;
  const Day today_;
  std::vector<Amount> covered_;
  std::vector<bool> used_;
  std::set<std::size_t> expired_;
};

void Compare(std::vector<JudgedFinding>& findings, const Baseline& baseline,
             std::size_t rounds) {
  for (JudgedFinding& judged : findings) {
    const auto known = baseline.find(judged.finding.callsite);
    if (known != baseline.end()) judged.known = known->second;
    if (judged.state == FindingState::kSuppressed) continue;
    if (judged.known) {
      judged.state = FindingState::kKnown;
    } else if (judged.rounds < rounds) {
      judged.state = FindingState::kUnsteady;
    }
  }
}

std::uint64_t SumOfNew(const std::vector<JudgedFinding>& findings) {
  std::uint64_t sum = 0;
  for (const JudgedFinding& judged : findings) {
    if (judged.state == FindingState::kNew) sum += judged.amount.bytes;
  }
  return sum;
}

void AddFigureBudgets(std::span<const Round> rounds, const Policy& policy,
                      Judgement& judgement) {
  std::uint64_t peak = kNothingYet;
  std::uint64_t allocations = kNothingYet;
  for (const Round& round : rounds) {
    std::uint64_t highest = 0;
    std::uint64_t sum = 0;
    for (const ProcessImage& image : round.images) {
      highest = std::max(highest, image.peak_bytes);
      sum += image.allocations;
    }
    peak = std::min(peak, highest);
    allocations = std::min(allocations, sum);
  }
  if (policy.max_peak_bytes) {
    judgement.budgets.push_back({"max-peak", *policy.max_peak_bytes, peak});
  }
  if (policy.max_allocations) {
    judgement.budgets.push_back(
        {"max-allocs", *policy.max_allocations, allocations, false});
  }
  for (const auto& [tag, limit] : policy.max_tag_live_bytes) {
    std::uint64_t least = kNothingYet;
    for (const Round& round : rounds) {
      std::uint64_t live = 0;
      for (const auto& [text, amount] : round.tags) {
        if (tag == text || tag == amount.name) live += amount.live.bytes;
      }
      least = std::min(least, live);
    }
    judgement.budgets.push_back(
        {absl::StrCat("max-tag-live ", tag), limit, least});
  }
}

void CollectUnmeasured(std::span<const Round> rounds, Judgement& judgement) {
  std::set<std::pair<std::string, std::string>> seen;
  const auto add = [&](MissingImage missing) {
    if (!seen.emplace(missing.program, missing.why).second) return;
    judgement.unmeasured.push_back(std::move(missing));
  };
  for (const Round& round : rounds) {
    for (const std::string& remark : round.remarks) {
      if (std::ranges::find(judgement.remarks, remark) ==
          judgement.remarks.end()) {
        judgement.remarks.push_back(remark);
      }
    }
    for (const MissingImage& missing : round.missing) add(missing);
    for (const ProcessImage& image : round.images) {
      if (image.fate != ImageFate::kNotJudged) continue;
      add({image.pid, image.program, image.why});
    }
  }
}

// A leak of no bytes is over any budget: nothing less would be reported.
bool LeaksTooMuch(const Judgement& judgement) {
  return std::ranges::any_of(judgement.budgets, &Budget::exceeded) ||
         (judgement.budgets.front().limit == 0 &&
          std::ranges::any_of(judgement.findings, [](const auto& judged) {
            return judged.state == FindingState::kNew &&
                   judged.evidence != Evidence::kGrowth;
          }));
}

}  // namespace

std::string_view VerdictWord(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "pass";
    case Verdict::kLeak:
      return "leak";
    case Verdict::kNotMeasured:
      break;
  }
  return "not measured";
}

std::string_view EvidenceWord(Evidence evidence) {
  switch (evidence) {
    case Evidence::kUnreachable:
      return "unreachable";
    case Evidence::kLive:
      return "live";
    case Evidence::kGrowth:
      break;
  }
  return "growth";
}

std::string_view StateWord(FindingState state) {
  switch (state) {
    case FindingState::kNew:
      return "new";
    case FindingState::kKnown:
      return "known";
    case FindingState::kSuppressed:
      return "suppressed";
    case FindingState::kUnsteady:
      break;
  }
  return "unsteady";
}

std::size_t Judgement::Count(FindingState state) const {
  return static_cast<std::size_t>(
      std::ranges::count(findings, state, &JudgedFinding::state));
}

Amount Judgement::Sum(FindingState state) const {
  Amount sum;
  for (const JudgedFinding& judged : findings) {
    if (judged.state == state) sum += judged.amount;
  }
  return sum;
}

std::size_t Judgement::judged_images() const {
  return static_cast<std::size_t>(
      std::ranges::count(images, ImageFate::kJudged, &ProcessImage::fate));
}

Judgement Judge(std::span<const Round> rounds, const Policy& policy,
                const Suppressions& suppressions, const Baseline& baseline,
                Day today) {
  Judgement judgement;
  judgement.rounds = rounds.size();
  for (const Round& round : rounds) {
    if (round.program_status != 0) {
      judgement.program_status = round.program_status;
    }
  }
  RuleBook rules(suppressions, today);
  judgement.findings = Leaks(rounds, policy.judged);
  rules.Apply(judgement.findings);
  Compare(judgement.findings, baseline, rounds.size());
  judgement.budgets.push_back(
      {"max-leaked", policy.max_leaked_bytes, SumOfNew(judgement.findings)});
  if (policy.max_growth_bytes) {
    std::vector<JudgedFinding> grown = Grown(rounds);
    rules.Apply(grown);
    Compare(grown, baseline, rounds.size());
    judgement.budgets.push_back(
        {"max-growth", *policy.max_growth_bytes, SumOfNew(grown)});
    if (judgement.budgets.back().exceeded()) {
      std::ranges::move(grown, std::back_inserter(judgement.findings));
    }
  }
  AddFigureBudgets(rounds, policy, judgement);
  rules.Report(judgement);
  std::ranges::sort(judgement.findings, [](const auto& a, const auto& b) {
    return std::tuple(a.state, b.amount.bytes, a.finding.callsite) <
           std::tuple(b.state, a.amount.bytes, b.finding.callsite);
  });
  for (const auto& [callsite, known] : baseline) {
    if (std::ranges::none_of(judgement.findings, [&](const auto& judged) {
          return judged.finding.callsite == callsite;
        })) {
      judgement.fixed.emplace_back(callsite, known);
    }
  }
  judgement.images = rounds.back().images;
  for (const ProcessImage& image : judgement.images) {
    if (!policy.tell_reachable || image.fate != ImageFate::kJudged) continue;
    judgement.reachable.bytes += image.live.bytes - image.unreachable.bytes;
    judgement.reachable.objects +=
        image.live.objects - image.unreachable.objects;
  }
  CollectUnmeasured(rounds, judgement);
  // What nobody looked at is not fixed.
  if (!judgement.unmeasured.empty()) judgement.fixed.clear();
  judgement.unmeasured_allowed = policy.allow_unmeasured;
  if (LeaksTooMuch(judgement)) {
    judgement.verdict = Verdict::kLeak;
  } else if (!judgement.unmeasured.empty() && !policy.allow_unmeasured) {
    judgement.verdict = Verdict::kNotMeasured;
  }
  return judgement;
}

Baseline BaselineOf(const Judgement& judgement) {
  Baseline baseline;
  for (const JudgedFinding& judged : judgement.findings) {
    if (judged.evidence == Evidence::kGrowth ||
        (judged.state != FindingState::kNew &&
         judged.state != FindingState::kKnown)) {
      continue;
    }
    baseline[judged.finding.callsite] = {judged.amount,
                                         judged.finding.name.function,
                                         judged.finding.name.Location()};
  }
  return baseline;
}

}  // namespace heapledger::collector::gate
