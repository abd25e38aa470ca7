// SPDX-License-Identifier: Apache-2.0
#include "collector/leaks/leaks_json.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "collector/leaks/reason.h"

namespace heapledger::collector {
namespace {

using Json = nlohmann::ordered_json;

double Seconds(std::uint64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / 1e9;
}

Json GrowthJson(const GrowthEvidence& growth, Figures figures) {
  return {
      {"kind", "growth"},
      {"reason", ReasonOf(growth, figures)},
      {"window_seconds", Seconds(growth.window_ns)},
      {"basis", growth.basis == GrowthBasis::kFloors ? "floors" : "moments"},
      {"bytes_per_second", growth.bytes_per_second},
      {"objects_per_second", growth.objects_per_second},
      {"rise_bytes", growth.rise_bytes},
      {"rise_objects", growth.rise_objects},
      {"rounds", growth.rounds},
      {"rounds_rose", growth.rounds_rose},
      {"score", growth.score},
      {"bytes_in_an_hour", growth.bytes_in_an_hour()}};
}

Json AgeJson(const AgeEvidence& age, Figures figures) {
  return {{"kind", "age"},
          {"reason", ReasonOf(age, figures)},
          {"window_seconds", Seconds(age.window_ns)},
          {"allocated", age.allocated_objects},
          {"freed", age.freed_objects},
          {"kept_at_least", age.kept_objects},
          {"older_than_seconds", Seconds(age.older_than_ns)},
          {"older_objects_at_least", age.older_objects},
          {"older_bytes_at_least", age.older_bytes}};
}

Json TrendJson(const ProcessLeakView& leaks, Figures figures) {
  const TrendView& trend = leaks.trend;
  Json json = {{"score", trend.score}};
  if (!trend.growth) return json;
  json["reason"] = ReasonOf(trend, leaks.suspects, figures);
  json["window_seconds"] = Seconds(trend.growth->window_ns);
  json["bytes_per_second"] = trend.growth->bytes_per_second;
  if (trend.exhaustion_seconds) {
    json["exhaustion_seconds"] = *trend.exhaustion_seconds;
  }
  return json;
}

Json UnreachableJson(const UnreachableEvidence& unreachable) {
  Json json = {{"kind", "unreachable"},
               {"reason", ReasonOf(unreachable)},
               {"at_exit", unreachable.at_exit},
               {"direct_bytes", unreachable.counts.direct_bytes},
               {"direct_objects", unreachable.counts.direct_objects},
               {"indirect_bytes", unreachable.counts.indirect_bytes},
               {"indirect_objects", unreachable.counts.indirect_objects},
               {"pause_seconds", Seconds(unreachable.pause_ns)}};
  if (unreachable.realtime_ns != 0) {
    json["timestamp_seconds"] = Seconds(unreachable.realtime_ns);
  }
  return json;
}

Json StackJson(const LedgerSnapshot& snapshot, std::uint32_t callsite,
               FrameNames& names) {
  Json stack = Json::array();
  const CallsiteInfo& info = snapshot.tables->callsites[callsite];
  for (const std::uint32_t index : snapshot.stack(info)) {
    for (const ResolvedFrame& frame : names.Resolve(snapshot, index)) {
      Json json;
      json["function"] =
          frame.function.empty()
              ? absl::StrCat(frame.module, "+0x", absl::Hex(frame.rel_pc))
              : frame.function;
      json["module"] = frame.module;
      if (!frame.file.empty()) json["file"] = frame.file;
      if (frame.line != 0) json["line"] = frame.line;
      if (frame.inlined) json["inlined"] = true;
      stack.push_back(std::move(json));
    }
  }
  return stack;
}

Json SuspectJson(const Suspect& suspect, const LedgerSnapshot& snapshot,
                 FrameNames& names) {
  const CallsiteView& callsite = suspect.callsite;
  const Figures figures =
      snapshot.estimated() ? Figures::kEstimated : Figures::kExact;
  Json json;
  json["callsite"] = callsite.fingerprint.ToString();
  json["function"] = callsite.name.function;
  json["module"] = callsite.name.module;
  if (!callsite.name.file.empty()) json["file"] = callsite.name.file;
  if (callsite.name.line != 0) json["line"] = callsite.name.line;
  json["state"] = std::string(StateWord(suspect.state));
  json["live_bytes"] = callsite.counters.live_bytes();
  json["live_objects"] = callsite.counters.live_objects();
  json["allocations"] = callsite.counters.allocated_objects;
  json["frees"] = callsite.counters.freed_objects;
  json["named_seconds_ago"] =
      Seconds(snapshot.taken_monotonic_ns - suspect.named_monotonic_ns);
  json["evidence"] = Json::array();
  if (suspect.growth) {
    json["evidence"].push_back(GrowthJson(*suspect.growth, figures));
  }
  if (suspect.age) json["evidence"].push_back(AgeJson(*suspect.age, figures));
  if (suspect.unreachable) {
    json["evidence"].push_back(UnreachableJson(*suspect.unreachable));
  }
  json["stack"] = StackJson(snapshot, callsite.callsites.front(), names);
  return json;
}

}  // namespace

Json LeaksJson(const ProcessLeakView& leaks, FrameNames& names) {
  const LedgerSnapshot& snapshot = *leaks.snapshot;
  Json json;
  json["process"] = snapshot.identity.Program();
  json["pid"] = snapshot.identity.pid;
  json["live_bytes"] = snapshot.totals.live_bytes();
  json["estimated"] = snapshot.estimated();
  json["looked_seconds"] = Seconds(leaks.looked_ns);
  json["watched_callsites"] = leaks.watched;
  json["trend"] = TrendJson(
      leaks, snapshot.estimated() ? Figures::kEstimated : Figures::kExact);
  json["suspects"] = Json::array();
  for (const Suspect& suspect : leaks.suspects) {
    json["suspects"].push_back(SuspectJson(suspect, snapshot, names));
  }
  return json;
}

}  // namespace heapledger::collector
