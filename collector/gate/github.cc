// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "collector/gate/sentences.h"
#include "collector/gate/source_place.h"
#include "collector/gate/writers.h"

namespace heapledger::collector::gate {
namespace {

constexpr std::size_t kShownPerKind = 10;

std::string Data(std::string_view text) {
  return absl::StrReplaceAll(std::string(text),
                             {{"%", "%25"}, {"\r", "%0D"}, {"\n", "%0A"}});
}

std::string Property(std::string_view text) {
  return absl::StrReplaceAll(Data(text), {{":", "%3A"}, {",", "%2C"}});
}

// Annotations of one kind, the first ten of them.
class Annotations {
 public:
  explicit Annotations(std::string_view kind) : kind_(kind) {}

  void Add(std::string_view title, const std::string& text,
           const std::optional<SourcePlace>& place = std::nullopt) {
    if (count_ == kShownPerKind) return;
    ++count_;
    absl::StrAppend(&text_, "::", kind_, " ");
    if (place) {
      absl::StrAppend(&text_, "file=", Property(place->path),
                      ",line=", place->line, ",");
    }
    absl::StrAppend(&text_, "title=", Property(title), "::", Data(text), "\n");
  }

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string kind_;
  std::string text_;
  std::size_t count_ = 0;
};

std::string Detail(const Judgement& judgement, const JudgedFinding& judged) {
  std::string text = FindingSentence(judged);
  const std::string why = StateSentence(judgement, judged);
  if (!why.empty()) absl::StrAppend(&text, "; ", why);
  for (const StackFunction& frame : judged.finding.stack) {
    absl::StrAppend(&text, "\n  ", FrameText(frame));
  }
  return absl::StrCat(text, "\ncallsite ", judged.finding.callsite.ToString());
}

}  // namespace

std::string GithubCommands(const Judgement& judgement, const GateFacts& facts) {
  Annotations errors("error");
  Annotations warnings("warning");
  Annotations notices("notice");
  for (const JudgedFinding& judged : judgement.findings) {
    if (judged.state == FindingState::kSuppressed) continue;
    Annotations& kind = Fails(judgement, judged) ? errors : warnings;
    kind.Add(absl::StrCat("heapledger: ", std::string(StateWord(judged.state)),
                          " leak"),
             Detail(judgement, judged), PlaceOf(judged.finding, facts));
  }
  for (const Budget& budget : judgement.budgets) {
    if (!budget.exceeded() || budget.name == "max-leaked") continue;
    errors.Add("heapledger: over budget", BudgetSentence(budget));
  }
  for (const MissingImage& missing : judgement.unmeasured) {
    Annotations& kind = judgement.unmeasured_allowed ? warnings : errors;
    kind.Add("heapledger: not measured", MissingSentence(missing));
  }
  for (const SuppressionRule& rule : judgement.expired_rules) {
    warnings.Add("heapledger: suppression expired", ExpiredSentence(rule));
  }
  notices.Add("heapledger", VerdictSentence(judgement));
  return absl::StrCat(errors.text(), warnings.text(), notices.text());
}

}  // namespace heapledger::collector::gate
