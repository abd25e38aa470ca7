// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/report_json.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "collector/cli/mode_words.h"
#include "collector/cli/output.h"
#include "collector/ledger/utc_time.h"

namespace heapledger::collector::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kStep = 2;  // columns per level
// Between two writes.
constexpr std::size_t kChunkBytes = 1 << 20;

Json FrameJson(const ResolvedFrame& frame) {
  Json json;
  json["function"] = FrameFunction(frame);
  json["module"] = frame.module;
  if (!frame.file.empty()) json["file"] = frame.file;
  if (frame.line != 0) json["line"] = frame.line;
  if (frame.inlined) json["inlined"] = true;
  return json;
}

Json TagJson(const TagAccount& account) {
  Json json;
  json["tag"] = account.tag.name;
  json["labels"] = Json::object();
  for (const TagLabel& label : account.tag.labels) {
    json["labels"][label.key] = label.value;
  }
  json["scopes_begun"] = account.scopes.begun;
  json["scopes_open"] = account.scopes.open();
  return json;
}

// Without its stack.
Json RowJson(const ReportRow& row) {
  Json json = row.tag ? TagJson(*row.tag) : NameJson(row.callsite, row.name);
  json.update(CountersJson(row.counters));
  if (row.growth) json["growth_bytes_per_second"] = *row.growth;
  if (row.cut) json["cut"] = true;
  return json;
}

// As dump() has it, for a place inside another value.
std::string DumpAt(const Json& json, std::size_t indent) {
  const std::string text =
      json.dump(kStep, ' ', false, Json::error_handler_t::replace);
  // No JSON text has a line break of its own.
  return absl::StrReplaceAll(text, {{"\n", "\n" + std::string(indent, ' ')}});
}

// The text of each frame is made once: a heap has a hundred times more stacks
// than frames, and would not fit into memory as objects.
class StackTexts {
 public:
  StackTexts(const LedgerSnapshot& snapshot, FrameNames& names,
             std::size_t indent)
      : snapshot_(snapshot),
        names_(names),
        indent_(indent),
        frames_(snapshot.tables->frames.size()) {}

  void Append(std::uint32_t callsite, std::string& text) {
    const auto stack = snapshot_.stack(snapshot_.tables->callsites[callsite]);
    text += '[';
    bool first = true;
    for (const std::uint32_t frame : stack) {
      if (frames_[frame].empty()) frames_[frame] = TextOf(frame);
      if (!first) text += ',';
      text += frames_[frame];
      first = false;
    }
    if (!first) absl::StrAppend(&text, "\n", std::string(indent_, ' '));
    text += ']';
  }

 private:
  std::string TextOf(std::uint32_t frame) {
    std::string text;
    for (const ResolvedFrame& resolved : names_.Resolve(snapshot_, frame)) {
      absl::StrAppend(&text, text.empty() ? "\n" : ",\n",
                      std::string(indent_ + kStep, ' '),
                      DumpAt(FrameJson(resolved), indent_ + kStep));
    }
    return text;
  }

  const LedgerSnapshot& snapshot_;
  FrameNames& names_;
  const std::size_t indent_;
  std::vector<std::string> frames_;  // by frame index; empty until asked for
};

void AppendRow(const ReportRow& row, std::size_t indent, StackTexts& stacks,
               std::string& text) {
  std::string object = DumpAt(RowJson(row), indent);
  if (row.callsite.empty()) {
    text += object;
    return;
  }
  object.resize(object.rfind('\n'));
  const std::string line = "\n" + std::string(indent, ' ');
  absl::StrAppend(&text, object, ",", line, "  \"stack\": ");
  stacks.Append(row.callsites.front(), text);
  absl::StrAppend(&text, line, "}");
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

Json HeadJson(const Report& report) {
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
  if (report.memory) json["memory"] = MemoryJson(snapshot, *report.memory);
  return json;
}

}  // namespace

Json NameJson(const std::string& callsite, const CallsiteName& name) {
  Json json;
  if (!callsite.empty()) json["callsite"] = callsite;
  if (!name.function.empty()) json["function"] = name.function;
  json["module"] = name.module;
  if (!name.file.empty()) json["file"] = name.file;
  if (name.line != 0) json["line"] = name.line;
  return json;
}

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
    json["armed_at"] = UtcTimeText(snapshot.armed_realtime_ns);
  }
  if (snapshot.disarmed_realtime_ns != 0) {
    json["disarmed_at"] = UtcTimeText(snapshot.disarmed_realtime_ns);
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

void StreamReportJson(const Report& report, const ReportOptions& options,
                      FrameNames& names, std::size_t indent,
                      const std::function<void(std::string_view)>& out) {
  std::string text = DumpAt(HeadJson(report), indent);
  // The rest of the object follows.
  text.resize(text.rfind('\n'));
  const char* const rows = options.by == ProfileGroup::kCallsite   ? "callsites"
                           : options.by == ProfileGroup::kFunction ? "functions"
                           : options.by == ProfileGroup::kTag      ? "tags"
                                                                   : "modules";
  const std::string line = "\n" + std::string(indent + kStep, ' ');
  absl::StrAppend(&text, ",", line, "\"", rows, "\": [");
  StackTexts stacks(*report.snapshot, names, indent + 3 * kStep);
  for (const ReportRow& row : report.rows) {
    const bool first = &row == &report.rows.front();
    absl::StrAppend(&text, first ? "" : ",", line, "  ");
    AppendRow(row, indent + 2 * kStep, stacks, text);
    if (text.size() < kChunkBytes) continue;
    out(text);
    text.clear();
  }
  Json other = CountersJson(report.other);
  other["rows"] = report.other_rows;
  absl::StrAppend(&text, report.rows.empty() ? "" : line, "],", line,
                  "\"other\": ", DumpAt(other, indent + kStep), "\n",
                  std::string(indent, ' '), "}");
  out(text);
}

std::string JsonText(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace heapledger::collector::cli
