// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "collector/gate/sentences.h"
#include "collector/gate/source_place.h"
#include "collector/gate/writers.h"
#include "collector/profile/figures.h"
#include "collector/profile/foreign_text.h"

namespace heapledger::collector::gate {
namespace {

// A step summary may take 1 MiB, a comment 65,536 characters.
constexpr std::size_t kMostRows = 100;
constexpr std::size_t kMostStacks = 20;

// Text as it is, and no markup.
std::string Plain(std::string_view text) {
  return absl::StrReplaceAll(EscapeMarkup(text), {{"|", "&#124;"},
                                                  {"*", "&#42;"},
                                                  {"_", "&#95;"},
                                                  {"`", "&#96;"},
                                                  {"[", "&#91;"},
                                                  {"]", "&#93;"},
                                                  {"~", "&#126;"},
                                                  {"\\", "&#92;"}});
}

// The same where a name may look like a mention of somebody.
std::string Code(std::string_view text) {
  return absl::StrCat("<code>", Plain(text), "</code>");
}

std::string Figure(std::uint64_t number) {
  return ExactFigure(static_cast<std::int64_t>(number));
}

std::string Where(const Finding& finding, const GateFacts& facts) {
  const auto place = PlaceOf(finding, facts);
  if (!place) return Plain(finding.name.module);
  return absl::StrCat(Plain(place->path), ":", place->line);
}

std::string Table(const Judgement& judgement, const GateFacts& facts) {
  std::string text =
      "\n| state | bytes | blocks | function | place | callsite |\n"
      "|---|---:|---:|---|---|---|\n";
  std::size_t rows = 0;
  for (const JudgedFinding& judged : judgement.findings) {
    if (rows++ == kMostRows) {
      absl::StrAppend(&text, "\n", judgement.findings.size() - kMostRows,
                      " more callsites are left out here.\n");
      break;
    }
    absl::StrAppend(&text, "| ", std::string(StateWord(judged.state)), ", ",
                    std::string(EvidenceWord(judged.evidence)), " | ",
                    Figure(judged.amount.bytes), " | ",
                    Figure(judged.amount.objects), " | ",
                    Code(judged.finding.name.function), " | ",
                    Where(judged.finding, facts), " | ",
                    judged.finding.callsite.ToString(), " |\n");
  }
  return text;
}

std::string Stacks(const Judgement& judgement) {
  std::string text;
  std::size_t shown = 0;
  for (const JudgedFinding& judged : judgement.findings) {
    if (judged.state != FindingState::kNew || shown++ == kMostStacks) break;
    absl::StrAppend(&text, "\n<details><summary>",
                    Code(FindingSentence(judged)), "</summary>\n\n<pre>\n");
    for (const StackFunction& frame : judged.finding.stack) {
      absl::StrAppend(&text, EscapeMarkup(FrameText(frame)), "\n");
    }
    absl::StrAppend(&text, "</pre>\n\nSuppress with ",
                    Code(SuppressionToPaste(judged)), "\n\n</details>\n");
  }
  return text;
}

void AddItem(std::string_view sentence, std::string& text) {
  absl::StrAppend(&text, "- ", Plain(sentence), "\n");
}

}  // namespace

std::string MarkdownText(const Judgement& judgement, const GateFacts& facts) {
  std::string text =
      absl::StrCat("### heapledger gate: ", Plain(facts.program), "\n\n**",
                   std::string(VerdictWord(judgement.verdict)), "**",
                   Plain(VerdictSentence(judgement).substr(
                       VerdictWord(judgement.verdict).size())),
                   "\n");
  if (!judgement.findings.empty()) {
    text += Table(judgement, facts) + Stacks(judgement);
  }
  std::string items;
  if (judgement.program_status != 0) {
    AddItem(absl::StrCat(facts.program, " ended with status ",
                         judgement.program_status),
            items);
  }
  for (const Budget& budget : judgement.budgets) {
    if (budget.exceeded()) {
      AddItem(absl::StrCat("over budget: ", BudgetSentence(budget)), items);
    }
  }
  for (const MissingImage& missing : judgement.unmeasured) {
    AddItem(absl::StrCat("not measured: ", MissingSentence(missing)), items);
  }
  for (const auto& [callsite, known] : judgement.fixed) {
    AddItem(absl::StrCat("fixed: ", known.function, " at ", known.place,
                         " (callsite ", callsite.ToString(), ")"),
            items);
  }
  for (const SuppressionRule& rule : judgement.expired_rules) {
    AddItem(ExpiredSentence(rule), items);
  }
  for (const SuppressionRule& rule : judgement.unused_rules) {
    AddItem(UnusedSentence(rule), items);
  }
  return items.empty() ? text : absl::StrCat(text, "\n", items);
}

}  // namespace heapledger::collector::gate
