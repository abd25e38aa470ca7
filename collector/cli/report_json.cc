// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/report_json.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "collector/cli/mode_words.h"
#include "collector/cli/output.h"

namespace heapledger::collector::cli {
namespace {

using Json = nlohmann::ordered_json;

Json FrameJson(const ResolvedFrame& frame) {
  Json json;
  json["function"] = FunctionName(frame);
  json["module"] = frame.module;
  if (!frame.file.empty()) json["file"] = frame.file;
  if (frame.line != 0) json["line"] = frame.line;
  if (frame.inlined) json["inlined"] = true;
  return json;
}

Json StackJson(const LedgerSnapshot& snapshot, std::uint32_t callsite,
               FrameNames& names) {
  Json stack = Json::array();
  const CallsiteInfo& info = snapshot.tables->callsites[callsite];
  for (const std::uint32_t frame : snapshot.stack(info)) {
    for (const ResolvedFrame& resolved : names.Resolve(snapshot, frame)) {
      stack.push_back(FrameJson(resolved));
    }
  }
  return stack;
}

Json RowJson(const Report& report, const ReportRow& row, FrameNames& names) {
  const LedgerSnapshot& snapshot = *report.snapshot;
  Json json;
  if (!row.callsite.empty()) json["callsite"] = row.callsite;
  if (!row.name.function.empty()) json["function"] = row.name.function;
  json["module"] = row.name.module;
  if (!row.name.file.empty()) json["file"] = row.name.file;
  if (row.name.line != 0) json["line"] = row.name.line;
  json.update(CountersJson(row.counters));
  if (row.growth) json["growth_bytes_per_second"] = *row.growth;
  if (row.cut) json["cut"] = true;
  if (!row.callsite.empty()) {
    json["stack"] = StackJson(snapshot, row.callsites.front(), names);
  }
  return json;
}

Json ProcessJson(const LedgerSnapshot& snapshot) {
  const LedgerIdentity& who = snapshot.identity;
  Json json;
  json["pid"] = who.pid;
  json["start_time_ticks"] = who.start_time_ticks;
  json["image"] = who.image;
  json["uid"] = who.uid;
  json["program"] = who.Program();
  json["exe"] = who.exe;
  if (who.parent_pid != 0) json["parent_pid"] = who.parent_pid;
  json["state"] = std::string(StateWord(snapshot.state));
  if (snapshot.state == ProcessState::kOff) {
    json["off_reason"] = OffReasonWord(snapshot.off_reason);
  }
  json.update(ModeJson(snapshot));
  json["stack"] = std::string(StackWord(snapshot.stack_detail));
  if (snapshot.budget_percent != 0) {
    json["budget_percent"] = snapshot.budget_percent;
  }
  json["max_depth"] = snapshot.max_depth;
  json["shim_version"] = who.shim_version;
  return json;
}

}  // namespace

Json CountersJson(const HeapCounters& counters) {
  Json json;
  json["live_bytes"] = counters.live_bytes();
  json["live_objects"] = counters.live_objects();
  json["allocated_bytes"] = counters.allocated_bytes;
  json["allocations"] = counters.allocated_objects;
  json["freed_bytes"] = counters.freed_bytes;
  json["frees"] = counters.freed_objects;
  json["inherited_bytes"] = counters.inherited_bytes;
  json["inherited_objects"] = counters.inherited_objects;
  return json;
}

Json ModeJson(const LedgerSnapshot& snapshot) {
  Json json;
  json["mode"] = std::string(ModeWord(snapshot.mode));
  json["sample_bytes"] = snapshot.sample_bytes;
  json["estimated"] = snapshot.estimated();
  if (snapshot.armed_realtime_ns != 0) {
    json["armed_at"] = UtcTime(snapshot.armed_realtime_ns);
  }
  if (snapshot.disarmed_realtime_ns != 0) {
    json["disarmed_at"] = UtcTime(snapshot.disarmed_realtime_ns);
  }
  return json;
}

Json UnmeasuredJson(const std::vector<UnmeasuredProcess>& processes) {
  Json list = Json::array();
  for (const UnmeasuredProcess& process : processes) {
    Json json;
    json["pid"] = process.pid;
    json["program"] = process.program;
    json["alive"] = process.alive;
    if (process.off_reason) {
      json["reason"] = OffReasonWord(*process.off_reason);
      json["text"] = OffReasonText(*process.off_reason);
      json["remedy"] = OffReasonRemedy(*process.off_reason);
    }
    list.push_back(std::move(json));
  }
  return list;
}

Json ReportJson(const Report& report, const ReportOptions& options,
                FrameNames& names) {
  const LedgerSnapshot& snapshot = *report.snapshot;
  Json json;
  json["process"] = ProcessJson(snapshot);
  json["totals"] = CountersJson(snapshot.totals);
  json["peak_live_bytes"] = snapshot.peak_live_bytes;
  json["cut_stack_live_bytes"] = snapshot.cut.live_bytes();
  if (report.growth) json["growth_bytes_per_second"] = *report.growth;
  json["ledger_bytes"] = snapshot.ledger_bytes;
  json["degraded"] = Json::object();
  for (std::size_t kind = 0; kind < kDegradedKinds; ++kind) {
    if (snapshot.degraded[kind] == 0) continue;
    json["degraded"][DegradedWord(kind)] = snapshot.degraded[kind];
  }
  json["corrupt_records"] = snapshot.corrupt_records;
  json["unmeasured"] = UnmeasuredJson(report.unmeasured);
  const char* const rows = options.by == GroupBy::kCallsite   ? "callsites"
                           : options.by == GroupBy::kFunction ? "functions"
                                                              : "modules";
  json[rows] = Json::array();
  for (const ReportRow& row : report.rows) {
    json[rows].push_back(RowJson(report, row, names));
  }
  json["other"] = CountersJson(report.other);
  json["other"]["rows"] = report.other_rows;
  return json;
}

std::string JsonText(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace heapledger::collector::cli
