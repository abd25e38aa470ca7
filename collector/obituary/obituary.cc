// SPDX-License-Identifier: Apache-2.0
#include "collector/obituary/obituary.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "collector/obituary/fields.h"

namespace heapledger::collector::obituary {

// Static rather than in the unnamed namespace, where a template of another file
// would not find them.
template <typename Archive>
static void Fields(Archive& a, OomTask& t) {
  a("pid", t.pid);
  a("uid", t.uid);
  a("name", t.name);
  a("resident_bytes", t.resident_bytes);
  a("swap_bytes", t.swap_bytes);
  a("oom_score_adj", t.score_adjustment);
}

template <typename Archive>
static void Fields(Archive& a, OomReport& r) {
  a("realtime_ns", r.realtime_ns);
  a("invoked_by", r.invoked_by);
  a("constraint", r.constraint);
  a("limit_cgroup", r.limit_cgroup);
  a("task_cgroup", r.task_cgroup);
  a("usage_bytes", r.usage_bytes);
  a("limit_bytes", r.limit_bytes);
  a("failures", r.failures);
  a("tasks", r.tasks);
  a("all_tasks", r.all_tasks);
  a("killed", r.killed);
}

template <typename Archive>
static void Fields(Archive& a, CgroupLimit& l) {
  a("cgroup", l.cgroup);
  a("limit_bytes", l.limit_bytes);
}

template <typename Archive>
static void Fields(Archive& a, CgroupStat& s) {
  a("name", s.name);
  a("bytes", s.bytes);
}

template <typename Archive>
static void Fields(Archive& a, CgroupFacts& c) {
  a("realtime_ns", c.realtime_ns);
  a("cgroup", c.cgroup);
  a("version", c.version);
  a("limits", c.limits);
  a("usage_bytes", c.usage_bytes);
  a("peak_bytes", c.peak_bytes);
  a("failures", c.failures);
  a("oom_kills", c.oom_kills);
  a("stat", c.stat);
}

template <typename Archive>
static void Fields(Archive& a, HostState& h) {
  a("realtime_ns", h.realtime_ns);
  a("total_bytes", h.total_bytes);
  a("available_bytes", h.available_bytes);
  a("swap_total_bytes", h.swap_total_bytes);
  a("swap_free_bytes", h.swap_free_bytes);
  a("stalled_some_us", h.stalled_some_us);
  a("stalled_full_us", h.stalled_full_us);
}

template <typename Archive>
static void Fields(Archive& a, CallsiteColumn& c) {
  a("callsite", c.callsite);
  a("function", c.function);
  a("module", c.module);
  a("file", c.file);
  a("line", c.line);
}

template <typename Archive>
static void Fields(Archive& a, CallsiteFigure& f) {
  Fields(a, f.site);
  a("live_bytes", f.live_bytes);
  a("live_objects", f.live_objects);
}

template <typename Archive>
static void Fields(Archive& a, PressureSample& p) {
  a("realtime_ns", p.realtime_ns);
  a("usage_ratio", p.usage_ratio);
  a("threshold", p.threshold);
  a("limit_bytes", p.limit_bytes);
  a("resident_bytes", p.resident_bytes);
  a("live_bytes", p.live_bytes);
  a("callsites", p.top);
}

template <typename Archive>
static void Fields(Archive& a, Event& e) {
  a("realtime_ns", e.realtime_ns);
  a("kind", e.kind);
  a("text", e.text);
}

template <typename Archive>
static void Fields(Archive& a, BigProcess& p) {
  a("name", p.name);
  a("pid", p.pid);
  a("resident_bytes", p.resident_bytes);
  a("killed", p.killed);
}

template <typename Archive>
static void Fields(Archive& a, Ending& e) {
  std::string reason(EndWord(e.kind));
  a("reason", reason);
  e.kind = EndOfWord(reason);
  a("signal", e.signal);
  a("exit_status", e.exit_status);
  a("core_dumped", e.core_dumped);
  a("likely", e.likely);
  a("evidence", e.evidence);
}

template <typename Archive>
static void Fields(Archive& a, Obituary& o) {
  a("ending", o.ending);
  a("died_realtime_ns", o.died_realtime_ns);
  a("died_exactly", o.died_exactly);
  a("sealed_by", o.sealed_by);
  a("watched_since_realtime_ns", o.watched_since_ns);
  a("cgroup_before", o.cgroup_before);
  a("cgroup_after", o.cgroup_after);
  a("oom_report", o.oom);
  a("host_before", o.host_before);
  a("host_after", o.host_after);
  a("last_resident_bytes", o.last_resident_bytes);
  a("others", o.others);
  a("pressure", o.pressure);
  a("events", o.events);
  a("remarks", o.remarks);
  a("history_callsites", o.callsites);
}

namespace {

using Json = nlohmann::ordered_json;

// Many times what sixteen callsites, their evidence and a kernel's table take.
constexpr std::size_t kMaximumJsonBytes = 4 << 20;
// The suspects are shown as they are read, and nothing nests deeper.
constexpr int kDeepest = 12;

const HlSection* Find(std::span<const HlSection> sections,
                      std::string_view name) {
  const auto found = std::ranges::find(sections, name, &HlSection::name);
  return found == sections.end() ? nullptr : &*found;
}

// Null for what is no JSON, and for what nests so deep that a reader of it
// would run out of stack.
Json ParseShallow(const std::string& text) {
  bool too_deep = false;
  Json json = Json::parse(
      text,
      [&too_deep](int depth, Json::parse_event_t, Json&) {
        too_deep |= depth > kDeepest;
        return !too_deep;
      },
      /*allow_exceptions=*/false);
  return too_deep || json.is_discarded() ? Json() : json;
}

absl::Status Unsound(const std::string& path, std::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat(path, " is no sound obituary: ", std::string(why),
                   "; its heap can be read with heapledger report"));
}

}  // namespace

Json ObituaryJson(const Obituary& obituary) {
  JsonFields fields;
  Obituary copy = obituary;
  Fields(fields, copy);
  Json json = fields.Take();
  if (!obituary.suspects.is_null()) json["leaks"] = obituary.suspects;
  return json;
}

std::vector<HlSection> Sections(const Obituary& obituary, std::string history) {
  std::string text = ObituaryJson(obituary).dump(
                         1, ' ', false, Json::error_handler_t::replace) +
                     "\n";
  return {{kObituarySection, std::move(text)},
          {kHistorySection, std::move(history)}};
}

absl::StatusOr<Obituary> FromSections(std::span<const HlSection> sections,
                                      const std::string& path) {
  const HlSection* const text = Find(sections, kObituarySection);
  if (text == nullptr) {
    return absl::NotFoundError(
        absl::StrCat(path, " is a snapshot and no obituary"));
  }
  if (text->bytes.size() > kMaximumJsonBytes) {
    return Unsound(path, "its facts are too long");
  }
  const Json json = ParseShallow(text->bytes);
  if (!json.is_object()) return Unsound(path, "its facts are no JSON object");
  Obituary obituary;
  FieldsOfJson fields(json);
  Fields(fields, obituary);
  if (json.contains("leaks") && json["leaks"].is_object()) {
    obituary.suspects = json["leaks"];
  }
  if (const HlSection* const history = Find(sections, kHistorySection)) {
    auto rows = DecodeSeries(history->bytes);
    if (!rows.ok()) {
      return Unsound(path,
                     absl::StrCat("of its history, ", rows.status().message()));
    }
    obituary.history = *std::move(rows);
  }
  const std::size_t columns = obituary.history.empty()
                                  ? kFixedColumns + obituary.callsites.size()
                                  : obituary.history[0].values.size();
  if (columns != kFixedColumns + obituary.callsites.size()) {
    return Unsound(path, "its history has other columns than it names");
  }
  return obituary;
}

}  // namespace heapledger::collector::obituary
