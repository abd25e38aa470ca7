// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/gate/sentences.h"
#include "collector/gate/source_place.h"
#include "collector/gate/writers.h"
#include "collector/profile/foreign_text.h"
#include "collector/profile/json_writer.h"

namespace heapledger::collector::gate {
namespace {

// The fingerprint is stable under moves within a file, as SARIF wants it.
constexpr std::string_view kFingerprintName = "heapledgerCallsite/v1";

struct Rule {
  std::string_view id;
  std::string_view name;
  std::string_view text;
  std::string_view level;
};
constexpr Rule kRules[] = {
    {"heapledger/unreachable", "UnreachableBlock",
     "Memory that no pointer reaches when the process ends.", "error"},
    {"heapledger/live", "BlockNotFreed",
     "Memory that is not freed when the process ends.", "error"},
    {"heapledger/growth", "GrowthInEveryRound",
     "Live memory that is more after every round.", "error"},
    {"heapledger/budget", "BudgetExceeded",
     "A figure of the heap that is over its budget.", "error"},
    {"heapledger/not-measured", "ProcessNotMeasured",
     "A process of the tree that could not be judged.", "error"},
};

std::size_t IndexOf(std::string_view id) {
  std::size_t index = 0;
  while (kRules[index].id != id) ++index;
  return index;
}

void WriteMessage(std::string_view text, JsonWriter& json) {
  json.Begin('{').Key("text").String(text).End('}');
}

void WriteTool(const GateFacts& facts, JsonWriter& json) {
  json.NewLine().Key("tool").Begin('{').Key("driver").Begin('{');
  json.Key("name").String("heapledger");
  json.Key("version").String(facts.version);
  json.Key("semanticVersion").String(facts.version);
  json.Key("rules").Begin('[');
  for (const Rule& rule : kRules) {
    json.NewLine().Begin('{');
    json.Key("id").String(rule.id);
    json.Key("name").String(rule.name);
    json.Key("shortDescription");
    WriteMessage(rule.text, json);
    json.Key("fullDescription");
    WriteMessage(rule.text, json);
    json.Key("defaultConfiguration").Begin('{');
    json.Key("level").String(rule.level).End('}');
    json.End('}');
  }
  json.End(']').End('}').End('}');
}

void WritePhysical(const SourcePlace& place, JsonWriter& json) {
  json.Key("physicalLocation").Begin('{');
  json.Key("artifactLocation").Begin('{');
  if (place.in_root) {
    json.Key("uri").String(UriPath(place.path));
    json.Key("uriBaseId").String("SRCROOT");
  } else {
    json.Key("uri").String(absl::StrCat(
        place.path.starts_with('/') ? "file://" : "", UriPath(place.path)));
  }
  json.End('}');
  json.Key("region").Begin('{').Key("startLine").Int(place.line).End('}');
  json.End('}');
}

void WriteLogical(std::string_view function, JsonWriter& json) {
  json.Key("logicalLocations").Begin('[').Begin('{');
  json.Key("fullyQualifiedName").String(OneLine(function));
  json.Key("kind").String("function");
  json.End('}').End(']');
}

// Outermost first, as the program came to the allocation.
void WriteCodeFlow(const Finding& finding, const GateFacts& facts,
                   JsonWriter& json) {
  json.NewLine().Key("codeFlows").Begin('[').Begin('{');
  json.Key("threadFlows").Begin('[').Begin('{');
  json.Key("locations").Begin('[');
  for (auto frame = finding.stack.rbegin(); frame != finding.stack.rend();
       ++frame) {
    json.NewLine().Begin('{').Key("location").Begin('{');
    if (const auto place = PlaceOf(*frame, facts)) WritePhysical(*place, json);
    WriteLogical(frame->function, json);
    json.Key("message");
    WriteMessage(FrameText(*frame), json);
    json.End('}').End('}');
  }
  json.End(']').End('}').End(']').End('}').End(']');
}

std::string_view Level(const Judgement& judgement,
                       const JudgedFinding& judged) {
  if (Fails(judgement, judged)) return "error";
  return judged.state == FindingState::kSuppressed ? "note" : "warning";
}

void WriteSuppression(const Judgement& judgement, const JudgedFinding& judged,
                      JsonWriter& json) {
  // An empty list says that one looked: the result is not suppressed.
  json.Key("suppressions").Begin('[');
  if (judged.rule) {
    json.Begin('{').Key("kind").String("external");
    json.Key("status").String("accepted");
    json.Key("justification").String(StateSentence(judgement, judged));
    json.End('}');
  }
  json.End(']');
}

void WriteFinding(const Judgement& judgement, const JudgedFinding& judged,
                  const GateFacts& facts, JsonWriter& json) {
  const Finding& finding = judged.finding;
  const std::string id =
      absl::StrCat("heapledger/", std::string(EvidenceWord(judged.evidence)));
  const std::string why = StateSentence(judgement, judged);
  json.NewLine().Begin('{');
  json.Key("ruleId").String(id);
  json.Key("ruleIndex").Int(IndexOf(id));
  json.Key("level").String(Level(judgement, judged));
  json.Key("message");
  WriteMessage(absl::StrCat(FindingSentence(judged),
                            why.empty() ? "" : absl::StrCat("; ", why), "."),
               json);
  json.Key("locations").Begin('[').Begin('{');
  if (const auto place = PlaceOf(finding, facts)) WritePhysical(*place, json);
  WriteLogical(finding.name.function, json);
  json.End('}').End(']');
  json.Key("partialFingerprints").Begin('{');
  json.Key(kFingerprintName).String(finding.callsite.ToString()).End('}');
  if (!facts.baseline.empty()) {
    json.Key("baselineState").String(judged.known ? "unchanged" : "new");
  }
  WriteSuppression(judgement, judged, json);
  if (!finding.stack.empty()) WriteCodeFlow(finding, facts, json);
  json.NewLine().Key("properties").Begin('{');
  json.Key("state").String(StateWord(judged.state));
  json.Key("bytes").Int(judged.amount.bytes);
  json.Key("blocks").Int(judged.amount.objects);
  json.Key("directBytes").Int(finding.direct.bytes);
  json.Key("indirectBytes").Int(finding.indirect.bytes);
  json.Key("rounds").Int(judged.rounds);
  json.End('}').End('}');
}

void WriteBudget(const Budget& budget, JsonWriter& json) {
  json.NewLine().Begin('{');
  json.Key("ruleId").String("heapledger/budget");
  json.Key("ruleIndex").Int(IndexOf("heapledger/budget"));
  json.Key("level").String("error");
  json.Key("message");
  WriteMessage(absl::StrCat(BudgetSentence(budget), "."), json);
  json.Key("partialFingerprints").Begin('{');
  json.Key("heapledgerBudget/v1").String(budget.name).End('}');
  json.End('}');
}

// What could not be judged is about the run, not about the sources.
void WriteInvocation(const Judgement& judgement, JsonWriter& json) {
  json.NewLine().Key("invocations").Begin('[').Begin('{');
  json.Key("executionSuccessful")
      .Bool(judgement.verdict != Verdict::kNotMeasured &&
            judgement.program_status == 0);
  json.Key("exitCode").Int(judgement.program_status);
  json.Key("toolExecutionNotifications").Begin('[');
  for (const MissingImage& missing : judgement.unmeasured) {
    json.NewLine().Begin('{');
    json.Key("descriptor").Begin('{');
    json.Key("id").String("heapledger/not-measured").End('}');
    json.Key("level").String(judgement.unmeasured_allowed ? "note" : "error");
    json.Key("message");
    WriteMessage(absl::StrCat(MissingSentence(missing), "."), json);
    json.End('}');
  }
  json.End(']').End('}').End(']');
}

}  // namespace

std::string SarifText(const Judgement& judgement, const GateFacts& facts) {
  JsonWriter json;
  json.Begin('{');
  json.Key("$schema").String(
      "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/"
      "sarif-schema-2.1.0.json");
  json.Key("version").String("2.1.0");
  json.Key("runs").Begin('[').Begin('{');
  WriteTool(facts, json);
  WriteInvocation(judgement, json);
  json.NewLine().Key("originalUriBaseIds").Begin('{');
  json.Key("SRCROOT").Begin('{');
  json.Key("description");
  WriteMessage("The root of the sources, where the gate was started.", json);
  json.End('}').End('}');
  json.NewLine().Key("columnKind").String("utf16CodeUnits");
  json.NewLine().Key("results").Begin('[');
  for (const JudgedFinding& judged : judgement.findings) {
    WriteFinding(judgement, judged, facts, json);
  }
  for (const Budget& budget : judgement.budgets) {
    // Its own results say so where leaks are over budget.
    if (budget.exceeded() && budget.name != "max-leaked") {
      WriteBudget(budget, json);
    }
  }
  json.End(']').End('}').End(']').End('}');
  return json.Take() + "\n";
}

}  // namespace heapledger::collector::gate
