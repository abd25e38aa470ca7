// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "collector/gate/sentences.h"
#include "collector/gate/writers.h"
#include "collector/ledger/utc_time.h"
#include "collector/profile/foreign_text.h"

namespace heapledger::collector::gate {
namespace {

// The cases as they come, and how many ended how.
class Suite {
 public:
  explicit Suite(std::string class_name)
      : class_name_(EscapeMarkup(class_name)) {}

  void Pass(std::string_view name, std::string_view output) {
    Add(name, "", output);
  }
  void Fail(std::string_view name, std::string_view type,
            std::string_view message, std::string_view detail) {
    ++failures_;
    Add(name, Outcome("failure", type, message, detail), "");
  }
  void Error(std::string_view name, std::string_view type,
             std::string_view message) {
    ++errors_;
    Add(name, Outcome("error", type, message, message), "");
  }
  void Skip(std::string_view name, std::string_view message,
            std::string_view output) {
    ++skipped_;
    Add(name,
        absl::StrCat("      <skipped message=\"", EscapeMarkup(message),
                     "\"/>\n"),
        output);
  }

  [[nodiscard]] std::string Text(const GateFacts& facts,
                                 const std::string& properties,
                                 std::string_view report) const {
    const std::string counts = absl::StrFormat(
        "tests=\"%d\" failures=\"%d\" errors=\"%d\" skipped=\"%d\" "
        "time=\"%.3f\"",
        tests_, failures_, errors_, skipped_, facts.seconds);
    std::string when = UtcTimeText(facts.ended_realtime_ns);
    if (when.ends_with('Z')) when.pop_back();  // as the format has it
    return absl::StrCat(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"",
        "heapledger gate\" ", CountsWithoutSkipped(facts),
        ">\n  <testsuite name=\"", class_name_, "\" ", counts, " timestamp=\"",
        when, "\">\n    <properties>\n", properties, "    </properties>\n",
        cases_, "    <system-out>", Lines(report),
        "</system-out>\n  </testsuite>\n</testsuites>\n");
  }

 private:
  // <testsuites> has no attribute for it.
  [[nodiscard]] std::string CountsWithoutSkipped(const GateFacts& facts) const {
    return absl::StrFormat(
        "tests=\"%d\" failures=\"%d\" errors=\"%d\" time=\"%.3f\"", tests_,
        failures_, errors_, facts.seconds);
  }

  // Escaped, with its line ends.
  static std::string Lines(std::string_view text) {
    std::string lines;
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      absl::StrAppend(&lines, EscapeMarkup(text.substr(0, end)));
      if (end == std::string_view::npos) break;
      lines += '\n';
      text.remove_prefix(end + 1);
    }
    return lines;
  }

  static std::string Outcome(std::string_view element, std::string_view type,
                             std::string_view message,
                             std::string_view detail) {
    return absl::StrCat("      <", std::string(element), " type=\"",
                        EscapeMarkup(type), "\" message=\"",
                        EscapeMarkup(message), "\">", Lines(detail), "</",
                        std::string(element), ">\n");
  }

  void Add(std::string_view name, const std::string& outcome,
           std::string_view output) {
    ++tests_;
    absl::StrAppend(&cases_, "    <testcase name=\"", EscapeMarkup(name),
                    "\" classname=\"", class_name_, "\" time=\"0.000\"");
    if (outcome.empty() && output.empty()) {
      cases_ += "/>\n";
      return;
    }
    absl::StrAppend(&cases_, ">\n", outcome);
    if (!output.empty()) {
      absl::StrAppend(&cases_, "      <system-out>", Lines(output),
                      "</system-out>\n");
    }
    cases_ += "    </testcase>\n";
  }

  std::string class_name_;
  std::string cases_;
  int tests_ = 0;
  int failures_ = 0;
  int errors_ = 0;
  int skipped_ = 0;
};

std::string Property(std::string_view name, std::string_view value) {
  return absl::StrCat("      <property name=\"", EscapeMarkup(name),
                      "\" value=\"", EscapeMarkup(value), "\"/>\n");
}

std::string StackText(const Finding& finding) {
  std::string text;
  for (const StackFunction& frame : finding.stack) {
    absl::StrAppend(&text, "  ", FrameText(frame), "\n");
  }
  return text;
}

void AddFinding(const Judgement& judgement, const JudgedFinding& judged,
                Suite& suite) {
  const std::string name = absl::StrCat(
      std::string(EvidenceWord(judged.evidence)), " ",
      judged.finding.callsite.ToString(), " ", judged.finding.name.function);
  const std::string sentence = FindingSentence(judged);
  const std::string why = StateSentence(judgement, judged);
  const std::string detail =
      absl::StrCat(sentence, "\n", why.empty() ? "" : absl::StrCat(why, "\n"),
                   StackText(judged.finding), "suppress with ",
                   SuppressionToPaste(judged), "\n");
  if (Fails(judgement, judged)) {
    suite.Fail(
        name,
        absl::StrCat("heapledger/", std::string(EvidenceWord(judged.evidence))),
        sentence, detail);
  } else if (judged.state == FindingState::kNew) {
    suite.Pass(name, detail);  // within the budget
  } else {
    suite.Skip(name, why, detail);
  }
}

}  // namespace

std::string JunitText(const Judgement& judgement, const GateFacts& facts) {
  Suite suite(facts.program);
  if (judgement.program_status != 0) {
    suite.Fail("program", "exit",
               absl::StrCat(facts.program, " ended with status ",
                            judgement.program_status),
               "the program's own status; the gate passes it on\n");
  } else {
    suite.Pass("program", "");
  }
  for (const JudgedFinding& judged : judgement.findings) {
    AddFinding(judgement, judged, suite);
  }
  for (const Budget& budget : judgement.budgets) {
    const std::string name = absl::StrCat("budget ", std::string(budget.name));
    if (budget.exceeded()) {
      suite.Fail(name, "heapledger/budget", BudgetSentence(budget), "");
    } else {
      suite.Pass(name, BudgetSentence(budget));
    }
  }
  for (const MissingImage& missing : judgement.unmeasured) {
    const std::string name = absl::StrCat("measured ", missing.program);
    if (judgement.unmeasured_allowed) {
      suite.Skip(name, MissingSentence(missing), "");
    } else {
      suite.Error(name, "heapledger/not-measured", MissingSentence(missing));
    }
  }
  std::string properties =
      absl::StrCat(Property("heapledger", facts.version),
                   Property("verdict", VerdictWord(judgement.verdict)),
                   Property("rounds", absl::StrCat(judgement.rounds)));
  if (!facts.baseline.empty()) {
    absl::StrAppend(&properties, Property("baseline", facts.baseline));
  }
  return suite.Text(facts, properties,
                    absl::StrCat(VerdictSentence(judgement), "\n",
                                 PlainText(judgement, facts)));
}

}  // namespace heapledger::collector::gate
