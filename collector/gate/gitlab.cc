// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "collector/gate/sentences.h"
#include "collector/gate/source_place.h"
#include "collector/gate/writers.h"
#include "collector/profile/json_writer.h"

namespace heapledger::collector::gate {
namespace {

std::string_view Severity(const Judgement& judgement,
                          const JudgedFinding& judged) {
  if (Fails(judgement, judged)) return "major";
  return judged.state == FindingState::kSuppressed ? "info" : "minor";
}

// GitLab shows nothing without a path; what lies in no source is put at the
// module that it is in.
void WriteLocation(const JudgedFinding& judged, const GateFacts& facts,
                   JsonWriter& json) {
  const auto place = PlaceOf(judged.finding, facts);
  json.Key("location").Begin('{');
  json.Key("path").String(place ? place->path : judged.finding.name.module);
  json.Key("lines").Begin('{');
  json.Key("begin").Int(place ? place->line : 1U).End('}');
  json.End('}');
}

}  // namespace

std::string GitlabText(const Judgement& judgement, const GateFacts& facts) {
  JsonWriter json;
  json.Begin('[');
  for (const JudgedFinding& judged : judgement.findings) {
    const std::string evidence(EvidenceWord(judged.evidence));
    const std::string why = StateSentence(judgement, judged);
    json.NewLine().Begin('{');
    json.Key("description")
        .String(absl::StrCat(FindingSentence(judged),
                             why.empty() ? "" : absl::StrCat("; ", why)));
    json.Key("check_name").String(absl::StrCat("heapledger/", evidence));
    // Growth and loss at one callsite are two findings.
    json.Key("fingerprint")
        .String(
            absl::StrCat(evidence, "-", judged.finding.callsite.ToString()));
    json.Key("severity").String(Severity(judgement, judged));
    WriteLocation(judged, facts, json);
    json.End('}');
  }
  return json.End(']').Take() + "\n";
}

}  // namespace heapledger::collector::gate
