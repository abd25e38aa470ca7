// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "collector/gate/sentences.h"
#include "collector/gate/writers.h"
#include "collector/profile/foreign_text.h"

namespace heapledger::collector::gate {
namespace {

constexpr std::size_t kMostFrames = 12;
constexpr std::size_t kMostProcesses = 3;

void AddStack(const Finding& finding, std::string& text) {
  std::size_t shown = 0;
  for (const StackFunction& frame : finding.stack) {
    if (shown++ == kMostFrames) {
      absl::StrAppend(&text, "    … ", finding.stack.size() - kMostFrames,
                      " more frames\n");
      break;
    }
    absl::StrAppend(&text, "    ", FrameText(frame), "\n");
  }
}

std::string Processes(const Finding& finding) {
  const std::size_t shown = std::min(kMostProcesses, finding.processes.size());
  std::string text = absl::StrJoin(
      finding.processes.begin(),
      finding.processes.begin() + static_cast<std::ptrdiff_t>(shown), ", ");
  if (shown < finding.processes.size()) {
    absl::StrAppend(&text, " and ", finding.processes.size() - shown, " more");
  }
  return OneLine(text);
}

void AddFinding(const Judgement& judgement, const JudgedFinding& judged,
                std::string& text) {
  absl::StrAppend(&text, "  ", std::string(StateWord(judged.state)), ": ",
                  FindingSentence(judged), "\n    callsite ",
                  judged.finding.callsite.ToString(), " in ",
                  Processes(judged.finding), "\n");
  const std::string why = StateSentence(judgement, judged);
  if (!why.empty()) absl::StrAppend(&text, "    ", why, "\n");
  if (judged.state == FindingState::kNew) AddStack(judged.finding, text);
}

void AddNextSteps(const Judgement& judgement, const GateFacts& facts,
                  std::string& text) {
  if (judgement.verdict == Verdict::kNotMeasured) {
    text +=
        "  next: see heapledger doctor -- CMD, or relax with "
        "--allow-unmeasured\n";
  }
  const auto first = std::ranges::find_if(
      judgement.findings,
      [&](const JudgedFinding& judged) { return Fails(judgement, judged); });
  if (first == judgement.findings.end()) return;
  absl::StrAppend(&text, "  next: free it, or suppress it with ",
                  SuppressionToPaste(*first),
                  " in a --suppressions file, or accept it with --baseline ",
                  facts.baseline.empty() ? "FILE" : OneLine(facts.baseline),
                  " --update-baseline\n");
}

}  // namespace

std::string PlainText(const Judgement& judgement, const GateFacts& facts) {
  std::string text;
  for (const JudgedFinding& judged : judgement.findings) {
    AddFinding(judgement, judged, text);
  }
  for (const auto& [callsite, known] : judgement.fixed) {
    absl::StrAppend(&text, "  fixed: ", known.function, " at ", known.place,
                    ", callsite ", callsite.ToString(),
                    "; drop it with --update-baseline\n");
  }
  for (const MissingImage& missing : judgement.unmeasured) {
    absl::StrAppend(&text, "  not measured: ", MissingSentence(missing), "\n");
  }
  for (const std::string& remark : judgement.remarks) {
    absl::StrAppend(&text, "  note: ", OneLine(remark), "\n");
  }
  if (judgement.reachable.objects != 0) {
    absl::StrAppend(&text, "  still reachable at the end: ",
                    AmountText(judgement.reachable), "\n");
  }
  for (const SuppressionRule& rule : judgement.expired_rules) {
    absl::StrAppend(&text, "  ", ExpiredSentence(rule), "\n");
  }
  for (const SuppressionRule& rule : judgement.unused_rules) {
    absl::StrAppend(&text, "  ", UnusedSentence(rule), "\n");
  }
  AddNextSteps(judgement, facts, text);
  return text;
}

}  // namespace heapledger::collector::gate
