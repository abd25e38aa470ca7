// SPDX-License-Identifier: Apache-2.0
#include "collector/gate/sentences.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "collector/profile/figures.h"
#include "collector/profile/foreign_text.h"

namespace heapledger::collector::gate {
namespace {

std::string Figure(std::uint64_t number) {
  return ExactFigure(static_cast<std::int64_t>(number));
}

std::string Counted(std::uint64_t number, std::string_view noun) {
  return absl::StrCat(Figure(number), " ", std::string(noun),
                      number == 1 ? "" : "s");
}

std::string_view Verb(Evidence evidence) {
  switch (evidence) {
    case Evidence::kUnreachable:
      return "lost";
    case Evidence::kLive:
      return "not freed";
    case Evidence::kGrowth:
      break;
  }
  return "more after every round";
}

// "; 1 known, 2 suppressed"
std::string OtherStates(const Judgement& judgement) {
  std::vector<std::string> parts;
  for (const FindingState state :
       {FindingState::kKnown, FindingState::kSuppressed,
        FindingState::kUnsteady}) {
    const std::size_t count = judgement.Count(state);
    if (count == 0) continue;
    parts.push_back(
        absl::StrCat(Figure(count), " ", std::string(StateWord(state))));
  }
  if (parts.empty()) return "";
  return absl::StrCat("; callsites ", absl::StrJoin(parts, ", "));
}

std::string Coverage(const Judgement& judgement) {
  std::string text =
      absl::StrCat("; ", Counted(judgement.judged_images(), "process"));
  if (judgement.judged_images() != 1) {
    text = absl::StrCat("; ", Figure(judgement.judged_images()), " processes");
  }
  absl::StrAppend(&text, " judged");
  if (judgement.rounds > 1) {
    absl::StrAppend(&text, " in each of ", Counted(judgement.rounds, "round"));
  }
  if (!judgement.unmeasured.empty()) {
    absl::StrAppend(&text, ", ", Figure(judgement.unmeasured.size()),
                    " not measured");
  }
  return text;
}

std::string WhatLeaked(const Judgement& judgement) {
  std::vector<std::string> parts;
  const std::size_t count = judgement.Count(FindingState::kNew);
  if (count != 0) {
    // All have one kind of evidence, or growth stands beside it.
    const Evidence evidence = judgement.findings.front().evidence;
    parts.push_back(absl::StrCat(AmountText(judgement.Sum(FindingState::kNew)),
                                 " ", std::string(Verb(evidence)), " at ",
                                 Counted(count, "callsite")));
  }
  for (const Budget& budget : judgement.budgets) {
    if (!budget.exceeded()) continue;
    if (budget.name == "max-leaked" && budget.limit == 0) continue;
    parts.push_back(absl::StrCat("over budget: ", BudgetSentence(budget)));
  }
  return absl::StrJoin(parts, "; ");
}

}  // namespace

std::string AmountText(const Amount& amount) {
  return absl::StrCat(Figure(amount.bytes), " B in ",
                      Counted(amount.objects, "block"));
}

std::string VerdictSentence(const Judgement& judgement) {
  std::string text(VerdictWord(judgement.verdict));
  switch (judgement.verdict) {
    case Verdict::kPass:
      absl::StrAppend(&text, ": ",
                      judgement.Count(FindingState::kNew) == 0
                          ? "no new leak"
                          : "leaks within the budget");
      break;
    case Verdict::kLeak:
      absl::StrAppend(&text, ": ", WhatLeaked(judgement));
      break;
    case Verdict::kNotMeasured:
      absl::StrAppend(&text, ": ",
                      MissingSentence(judgement.unmeasured.front()));
      break;
  }
  return absl::StrCat(text, OtherStates(judgement), Coverage(judgement));
}

std::string FindingSentence(const JudgedFinding& judged) {
  const Finding& finding = judged.finding;
  std::string text = absl::StrCat(AmountText(judged.amount), " ",
                                  std::string(Verb(judged.evidence)), " by ",
                                  OneLine(finding.name.function), " at ",
                                  OneLine(finding.name.Location()));
  if (judged.evidence == Evidence::kUnreachable) {
    absl::StrAppend(&text, " (", Figure(finding.direct.bytes), " B direct, ",
                    Figure(finding.indirect.bytes), " B indirect)");
  }
  return text;
}

std::string StateSentence(const Judgement& judgement,
                          const JudgedFinding& judged) {
  if (judged.rule) {
    const SuppressionRule& rule = judgement.rules[*judged.rule];
    return absl::StrCat(
        "suppressed by ", OneLine(rule.ToString()),
        rule.reason.empty() ? "" : absl::StrCat(" (", rule.reason, ")"));
  }
  if (judged.too_much) {
    const SuppressionRule& rule = judgement.rules[*judged.too_much];
    return absl::StrCat("more than max=", Figure(*rule.max_bytes), " B of ",
                        OneLine(rule.ToString()));
  }
  if (judged.state == FindingState::kKnown) {
    return absl::StrCat("known from the baseline, with ",
                        AmountText(judged.known->amount), " then");
  }
  if (judged.state == FindingState::kUnsteady) {
    return absl::StrCat("in ", judged.rounds, " of ", judgement.rounds,
                        " rounds, so not judged");
  }
  return "";
}

std::string BudgetSentence(const Budget& budget) {
  const std::string_view unit = budget.in_bytes ? " B" : "";
  return absl::StrCat("--", std::string(budget.name), " is ",
                      Figure(budget.limit), std::string(unit), ", found ",
                      Figure(budget.value), std::string(unit));
}

std::string MissingSentence(const MissingImage& missing) {
  return absl::StrCat(
      missing.program.empty() ? "a program" : OneLine(missing.program),
      " (pid ", missing.pid, "): ", OneLine(missing.why));
}

std::string SuppressionToPaste(const JudgedFinding& judged) {
  std::string_view name = judged.finding.name.function;
  // Arguments hold nothing that `*` would mean, but commas and blanks read
  // badly, and `$` or `*` in a name would.
  const std::size_t cut = name.find_first_of("($*");
  if (cut != 0) name = name.substr(0, cut);
  return absl::StrCat("leak:", OneLine(name));
}

std::string ExpiredSentence(const SuppressionRule& rule) {
  return absl::StrCat("rule ", OneLine(rule.ToString()), " expired on ",
                      DayText(*rule.expires),
                      " and would cover a leak; mend the leak or renew it");
}

std::string UnusedSentence(const SuppressionRule& rule) {
  return absl::StrCat("rule ", OneLine(rule.ToString()),
                      " covered nothing; remove it if no other test needs it");
}

std::string FrameText(const StackFunction& frame) {
  std::string text = OneLine(frame.function);
  if (frame.file.empty()) {
    return absl::StrCat(text, " ", OneLine(frame.module));
  }
  absl::StrAppend(&text, " ", OneLine(frame.file));
  if (frame.line != 0) absl::StrAppend(&text, ":", frame.line);
  return text;
}

bool Fails(const Judgement& judgement, const JudgedFinding& judged) {
  if (judged.state != FindingState::kNew) return false;
  const std::string_view wanted =
      judged.evidence == Evidence::kGrowth ? "max-growth" : "max-leaked";
  return std::ranges::any_of(judgement.budgets, [&](const Budget& budget) {
    return budget.name == wanted && (budget.exceeded() || budget.limit == 0);
  });
}

}  // namespace heapledger::collector::gate
