// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "collector/gate/sentences.h"
#include "collector/gate/writers.h"
#include "collector/ledger/utc_time.h"
#include "collector/profile/json_writer.h"

namespace heapledger::collector::gate {
namespace {

// Raised when a reader of the one before would misread what is written.
constexpr int kVersion = 1;

void WriteAmount(const Amount& amount, JsonWriter& json) {
  json.Begin('{');
  json.Key("bytes").Int(amount.bytes);
  json.Key("objects").Int(amount.objects);
  json.End('}');
}

void WriteStack(const Finding& finding, JsonWriter& json) {
  json.Key("stack").Begin('[');
  for (const StackFunction& frame : finding.stack) {
    json.Begin('{');
    json.Key("function").String(frame.function);
    json.Key("module").String(frame.module);
    if (!frame.file.empty()) json.Key("file").String(frame.file);
    if (frame.line != 0) json.Key("line").Int(frame.line);
    json.End('}');
  }
  json.End(']');
}

void WriteFinding(const Judgement& judgement, const JudgedFinding& judged,
                  JsonWriter& json) {
  const Finding& finding = judged.finding;
  json.NewLine().Begin('{');
  json.Key("callsite").String(finding.callsite.ToString());
  json.Key("evidence").String(EvidenceWord(judged.evidence));
  json.Key("state").String(StateWord(judged.state));
  json.Key("fails").Bool(Fails(judgement, judged));
  const std::string why = StateSentence(judgement, judged);
  if (!why.empty()) json.Key("reason").String(why);
  json.Key("function").String(finding.name.function);
  json.Key("location").String(finding.name.Location());
  json.Key("amount");
  WriteAmount(judged.amount, json);
  json.Key("direct");
  WriteAmount(finding.direct, json);
  json.Key("indirect");
  WriteAmount(finding.indirect, json);
  json.Key("live");
  WriteAmount(finding.live, json);
  json.Key("rounds").Int(judged.rounds);
  json.Key("processes").Begin('[');
  for (const std::string& process : finding.processes) json.String(process);
  json.End(']');
  WriteStack(finding, json);
  json.End('}');
}

std::string_view FateWord(ImageFate fate) {
  switch (fate) {
    case ImageFate::kJudged:
      return "judged";
    case ImageFate::kReplaced:
      return "replaced";
    case ImageFate::kNotJudged:
      break;
  }
  return "not judged";
}

void WriteImages(const Judgement& judgement, JsonWriter& json) {
  json.NewLine().Key("processes").Begin('[');
  for (const ProcessImage& image : judgement.images) {
    json.NewLine().Begin('{');
    json.Key("pid").Int(image.pid);
    json.Key("image").Int(image.image);
    json.Key("program").String(image.program);
    json.Key("command").Bool(image.is_root);
    json.Key("fate").String(FateWord(image.fate));
    if (!image.why.empty()) json.Key("reason").String(image.why);
    json.Key("live");
    WriteAmount(image.live, json);
    json.Key("unreachable");
    WriteAmount(image.unreachable, json);
    json.Key("inherited_unreachable");
    WriteAmount(image.inherited_unreachable, json);
    json.Key("peak_live_bytes").Int(image.peak_bytes);
    json.Key("allocations").Int(image.allocations);
    json.Key("scan_ns").Int(image.scan_ns);
    json.End('}');
  }
  json.End(']');
}

void WriteBudgets(const Judgement& judgement, JsonWriter& json) {
  json.NewLine().Key("budgets").Begin('[');
  for (const Budget& budget : judgement.budgets) {
    json.NewLine().Begin('{');
    json.Key("name").String(budget.name);
    json.Key("limit").Int(budget.limit);
    json.Key("value").Int(budget.value);
    json.Key("exceeded").Bool(budget.exceeded());
    json.End('}');
  }
  json.End(']');
}

void WriteRules(const Judgement& judgement, JsonWriter& json) {
  json.NewLine().Key("suppressions").Begin('{');
  json.Key("rules").Begin('[');
  for (std::size_t i = 0; i < judgement.rules.size(); ++i) {
    const SuppressionRule& rule = judgement.rules[i];
    json.NewLine().Begin('{');
    json.Key("pattern").String(rule.pattern);
    json.Key("source").String(rule.source);
    json.Key("line").Int(rule.line);
    if (!rule.reason.empty()) json.Key("reason").String(rule.reason);
    if (rule.expires) json.Key("expires").String(DayText(*rule.expires));
    if (rule.max_bytes) json.Key("max_bytes").Int(*rule.max_bytes);
    json.Key("covered");
    WriteAmount(judgement.covered[i], json);
    json.End('}');
  }
  json.End(']');
  json.NewLine().Key("unused").Begin('[');
  for (const SuppressionRule& rule : judgement.unused_rules) {
    json.String(rule.ToString());
  }
  json.End(']');
  json.Key("expired").Begin('[');
  for (const SuppressionRule& rule : judgement.expired_rules) {
    json.String(rule.ToString());
  }
  json.End(']').End('}');
}

void WriteFixed(const Judgement& judgement, JsonWriter& json) {
  json.NewLine().Key("fixed").Begin('[');
  for (const auto& [callsite, known] : judgement.fixed) {
    json.NewLine().Begin('{');
    json.Key("callsite").String(callsite.ToString());
    json.Key("function").String(known.function);
    json.Key("location").String(known.place);
    json.Key("amount");
    WriteAmount(known.amount, json);
    json.End('}');
  }
  json.End(']');
}

}  // namespace

std::string JsonText(const Judgement& judgement, const GateFacts& facts) {
  JsonWriter json;
  json.Begin('{');
  json.Key("version").Int(kVersion);
  json.Key("heapledger").String(facts.version);
  json.Key("program").String(facts.program);
  json.Key("ended_at").String(UtcTimeText(facts.ended_realtime_ns));
  json.Key("duration_ms").Int(static_cast<std::uint64_t>(facts.seconds * 1e3));
  json.NewLine().Key("verdict").String(VerdictWord(judgement.verdict));
  json.Key("sentence").String(VerdictSentence(judgement));
  json.Key("program_status").Int(judgement.program_status);
  json.Key("rounds").Int(judgement.rounds);
  json.Key("reachable");
  WriteAmount(judgement.reachable, json);
  json.NewLine().Key("findings").Begin('[');
  for (const JudgedFinding& judged : judgement.findings) {
    WriteFinding(judgement, judged, json);
  }
  json.End(']');
  WriteFixed(judgement, json);
  WriteBudgets(judgement, json);
  json.NewLine().Key("unmeasured").Begin('[');
  for (const MissingImage& missing : judgement.unmeasured) {
    json.NewLine().Begin('{');
    json.Key("pid").Int(missing.pid);
    json.Key("program").String(missing.program);
    json.Key("reason").String(missing.why);
    json.End('}');
  }
  json.End(']');
  json.NewLine().Key("remarks").Begin('[');
  for (const std::string& remark : judgement.remarks) json.String(remark);
  json.End(']');
  WriteImages(judgement, json);
  WriteRules(judgement, json);
  json.End('}');
  return json.Take() + "\n";
}

}  // namespace heapledger::collector::gate
