// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/postmortem_view.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "collector/cli/growth_chart.h"
#include "collector/cli/mode_words.h"
#include "collector/cli/output.h"
#include "collector/cli/report_json.h"
#include "collector/ledger/utc_time.h"
#include "collector/obituary/verdict.h"

namespace heapledger::collector::cli {
namespace {

using obituary::CallsiteFigure;
using obituary::CgroupFacts;
using obituary::HostState;
using obituary::Obituary;

constexpr std::size_t kCurveColumns = 64;
constexpr std::size_t kCurveLines = 8;
constexpr std::size_t kSparkColumns = 32;
constexpr std::size_t kSparks = 6;
constexpr std::size_t kPressureCallsites = 3;

std::string PlaceText(const obituary::CallsiteColumn& site) {
  const CallsiteName name = {site.function, site.module, site.file, site.line};
  return absl::StrCat(ShortFunction(Printable(site.function)), "  ",
                      ShortPath(Printable(name.Location())));
}

std::string Section(std::string_view title, const std::string& lines) {
  if (lines.empty()) return "";
  return absl::StrCat("\n", std::string(title), "\n", lines);
}

std::string Bullets(const std::vector<std::string>& sentences) {
  std::string text;
  for (const std::string& sentence : sentences) {
    absl::StrAppend(&text, "  - ", Printable(sentence), "\n");
  }
  return text;
}

std::string HeaderLines(const Death& death) {
  const LedgerSnapshot& snapshot = *death.heap.snapshot;
  const std::string about = AboutSign(snapshot);
  const Obituary& o = death.obituary;
  std::string text;
  if (o.died_realtime_ns > snapshot.identity.created_realtime_ns) {
    absl::StrAppend(
        &text, "lived ", o.died_exactly ? "" : "at least ",
        HumanAge(o.died_realtime_ns - snapshot.identity.created_realtime_ns),
        ", ");
  }
  absl::StrAppend(&text, "live heap at the end ", about,
                  HumanBytes(snapshot.totals.live_bytes()), " in ", about,
                  HumanCount(snapshot.totals.live_objects()), " objects, peak ",
                  about, HumanBytes(snapshot.peak_live_bytes));
  if (o.last_resident_bytes != 0) {
    absl::StrAppend(&text, ", resident ", HumanBytes(o.last_resident_bytes));
  }
  return absl::StrCat(text, "\n", death.sealed ? "obituary " : "ledger ",
                      Printable(death.path), "\n", ModeLines(snapshot));
}

// The curve of each large callsite, each on its own scale.
std::string Sparks(const Obituary& o) {
  if (o.history.size() < 2) return "";
  struct Line {
    std::uint64_t last;
    std::size_t index;
  };
  std::vector<Line> lines;
  for (std::size_t i = 0; i < o.callsites.size(); ++i) {
    lines.push_back({o.history.back().values[obituary::kFixedColumns + i], i});
  }
  std::ranges::stable_sort(lines, std::greater(), &Line::last);
  std::string text;
  for (std::size_t i = 0; i < std::min(lines.size(), kSparks); ++i) {
    if (lines[i].last == 0) break;
    absl::StrAppend(
        &text, "  ",
        SparkText(Resample(o.history, obituary::kFixedColumns + lines[i].index,
                           kSparkColumns)),
        absl::StrFormat(" %10s  ", HumanBytes(lines[i].last)),
        PlaceText(o.callsites[lines[i].index]), "\n");
  }
  return text;
}

std::string Text(const nlohmann::ordered_json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>()
                                                   : "";
}

std::string Suspects(const Obituary& o) {
  if (!o.suspects.is_object() || !o.suspects.contains("suspects") ||
      !o.suspects["suspects"].is_array()) {
    return "";
  }
  std::string text;
  for (const auto& suspect : o.suspects["suspects"]) {
    if (!suspect.is_object()) continue;
    absl::StrAppend(&text, "  ", Printable(Text(suspect, "callsite")), "  ",
                    ShortFunction(Printable(Text(suspect, "function"))), "  ",
                    Printable(Text(suspect, "state")), "\n");
    if (!suspect.contains("evidence") || !suspect["evidence"].is_array()) {
      continue;
    }
    for (const auto& evidence : suspect["evidence"]) {
      if (!evidence.is_object()) continue;
      absl::StrAppend(&text, "    ", Printable(Text(evidence, "kind")), ": ",
                      Printable(Text(evidence, "reason")), "\n");
    }
  }
  return text;
}

std::string Pressure(const Obituary& o) {
  std::string text;
  for (const obituary::PressureSample& sample : o.pressure) {
    absl::StrAppend(&text, "  ", UtcTimeText(sample.realtime_ns), "  ",
                    absl::StrFormat("%.0f", 100 * sample.usage_ratio), " % of ",
                    HumanBytes(sample.limit_bytes), ", live ",
                    HumanBytes(sample.live_bytes), ":");
    for (std::size_t i = 0; i < std::min(sample.top.size(), kPressureCallsites);
         ++i) {
      absl::StrAppend(&text, i == 0 ? " " : ", ",
                      ShortFunction(Printable(sample.top[i].site.function)),
                      " ", HumanBytes(sample.top[i].live_bytes));
    }
    text += "\n";
  }
  return text;
}

std::string Others(const Obituary& o) {
  std::string text;
  for (const obituary::BigProcess& other : o.others) {
    absl::StrAppend(
        &text, absl::StrFormat("  %10s  ", HumanBytes(other.resident_bytes)),
        Printable(other.name), " (pid ", other.pid, ")",
        other.killed ? ", killed too" : "", "\n");
  }
  return text;
}

std::string BeforeAndAfter(const std::optional<std::uint64_t>& before,
                           const std::optional<std::uint64_t>& after) {
  if (before && after && *before != *after) {
    return absl::StrCat(HumanCount(*before), ", then ", HumanCount(*after));
  }
  return HumanCount(after ? *after : before.value_or(0));
}

std::string Cgroup(const Obituary& o) {
  const auto& shown = o.cgroup_before ? o.cgroup_before : o.cgroup_after;
  if (!shown) return "";
  std::string text = absl::StrCat("  ", Printable(shown->cgroup), " (cgroup v",
                                  shown->version, ")\n");
  for (const obituary::CgroupLimit& limit : shown->limits) {
    absl::StrAppend(&text, "  limit ", HumanBytes(limit.limit_bytes), " of ",
                    Printable(limit.cgroup), "\n");
  }
  absl::StrAppend(&text, "  usage ", HumanBytes(shown->usage_bytes));
  if (o.cgroup_before && o.cgroup_after) {
    absl::StrAppend(&text, " before, ", HumanBytes(o.cgroup_after->usage_bytes),
                    " after");
  }
  const CgroupFacts& latest = o.cgroup_after ? *o.cgroup_after : *shown;
  if (latest.peak_bytes) {
    absl::StrAppend(&text, ", at most ", HumanBytes(*latest.peak_bytes));
  }
  const auto count = [&o](auto member) {
    using Number = std::optional<std::uint64_t>;
    return BeforeAndAfter(
        o.cgroup_before ? (*o.cgroup_before).*member : Number(),
        o.cgroup_after ? (*o.cgroup_after).*member : Number());
  };
  if (latest.failures) {
    absl::StrAppend(&text, "\n  limit met ", count(&CgroupFacts::failures),
                    " times");
  }
  if (latest.oom_kills) {
    absl::StrAppend(&text, "\n  OOM kills ", count(&CgroupFacts::oom_kills));
  }
  text += "\n";
  for (const obituary::CgroupStat& stat : shown->stat) {
    if (stat.bytes == 0) continue;
    absl::StrAppend(&text, absl::StrFormat("  %10s  ", HumanBytes(stat.bytes)),
                    Printable(stat.name), "\n");
  }
  return text;
}

std::string Host(const Obituary& o) {
  std::string text;
  const auto add = [&text](std::string_view when,
                           const std::optional<HostState>& state) {
    if (!state) return;
    absl::StrAppend(&text, "  ", std::string(when), ": ",
                    HumanBytes(state->available_bytes), " of ",
                    HumanBytes(state->total_bytes), " available");
    if (state->swap_total_bytes != 0) {
      absl::StrAppend(&text, ", swap ", HumanBytes(state->swap_free_bytes),
                      " of ", HumanBytes(state->swap_total_bytes), " free");
    }
    if (state->stalled_some_us) {
      absl::StrAppend(
          &text, ", tasks had waited ",
          absl::StrFormat("%.1f",
                          static_cast<double>(*state->stalled_some_us) / 1e6),
          " s for memory since boot");
    }
    text += "\n";
  };
  add("before", o.host_before);
  add("after", o.host_after);
  return text;
}

std::string Timeline(const Obituary& o) {
  std::string text;
  for (const obituary::Event& event : o.events) {
    absl::StrAppend(&text, "  ", UtcTimeText(event.realtime_ns), "  ",
                    absl::StrFormat("%-8s  ", Printable(event.kind)),
                    Printable(event.text), "\n");
  }
  return text;
}

std::string Kernel(const Obituary& o) {
  if (!o.oom) return "";
  std::string text;
  if (o.oom->usage_bytes && o.oom->limit_bytes) {
    absl::StrAppend(&text, "  usage ", HumanBytes(*o.oom->usage_bytes),
                    ", limit ", HumanBytes(*o.oom->limit_bytes));
    if (o.oom->failures) {
      absl::StrAppend(&text, ", limit met ", HumanCount(*o.oom->failures),
                      " times");
    }
    text += "\n";
  }
  for (const obituary::OomTask& task : o.oom->killed) {
    absl::StrAppend(&text, "  killed ", Printable(task.name), " (pid ",
                    task.pid, "), ", HumanBytes(task.resident_bytes),
                    " resident, oom_score_adj ", task.score_adjustment, "\n");
  }
  return text;
}

nlohmann::ordered_json HistoryJson(const Obituary& o) {
  using Json = nlohmann::ordered_json;
  Json columns = {"live_bytes", "live_objects", "resident_bytes",
                  "cgroup_bytes"};
  for (const obituary::CallsiteColumn& site : o.callsites) {
    columns.push_back({{"callsite", site.callsite},
                       {"function", site.function},
                       {"module", site.module},
                       {"file", site.file},
                       {"line", site.line}});
  }
  Json rows = Json::array();
  for (const obituary::SeriesRow& row : o.history) {
    Json cells = {row.time_ms};
    for (const std::uint64_t value : row.values) cells.push_back(value);
    rows.push_back(std::move(cells));
  }
  return {{"columns", std::move(columns)}, {"rows", std::move(rows)}};
}

std::string VerdictOf(const Death& death, FrameNames& names) {
  constexpr std::size_t kNamed = 1;
  return obituary::Verdict(
      *death.heap.snapshot, death.obituary,
      obituary::TopOf(*ViewAll(death.heap.snapshot, names), kNamed));
}

}  // namespace

Report DeathReport(const Death& death, const ReportOptions& options,
                   FrameNames& names) {
  Report report = MakeReport(*ViewAll(death.heap.snapshot, names), options);
  for (ReportRow& row : report.rows) {
    const auto rise = obituary::RiseOf(death.obituary, row.callsite);
    if (!rise) continue;
    row.growth = rise->bytes_per_second();
    report.growth = report.growth.value_or(0) + *row.growth;
  }
  return report;
}

std::string PostmortemText(const Death& death, const Report& report,
                           const ReportOptions& options, FrameNames& names,
                           bool quiet) {
  const Obituary& o = death.obituary;
  std::string text = Printable(VerdictOf(death, names)) + "\n";
  if (quiet) return text;
  absl::StrAppend(&text, "\n", HeaderLines(death), Bullets(o.ending.evidence));
  text += Section("live heap", CurveText(o, kCurveColumns, kCurveLines));
  text += Section("callsites at the end", ReportTable(report, options, names));
  text += Section("their way there, each on its own scale", Sparks(o));
  text += Section("leak suspects", Suspects(o));
  text += Section("when memory ran short", Pressure(o));
  text += Section("the OOM killer's report", Kernel(o));
  text += Section("who else was big", Others(o));
  text += Section("memory cgroup", Cgroup(o));
  text += Section("host", Host(o));
  text += Section("timeline", Timeline(o));
  text += Section("notes", Bullets(o.remarks));
  return text;
}

nlohmann::ordered_json PostmortemJson(const Death& death, const Report& report,
                                      const ReportOptions& options,
                                      FrameNames& names) {
  using Json = nlohmann::ordered_json;
  const LedgerIdentity& who = death.heap.snapshot->identity;
  const Obituary& o = death.obituary;
  Json json = {{"verdict", VerdictOf(death, names)},
               {"process",
                {{"program", who.Program()},
                 {"pid", who.pid},
                 {"exe", who.exe},
                 {"start_time_ticks", who.start_time_ticks},
                 {"image", who.image},
                 {"created_at", UtcTimeText(who.created_realtime_ns)}}},
               {"died_at", UtcTimeText(o.died_realtime_ns)},
               {"died_exactly", o.died_exactly},
               {"reason", std::string(obituary::EndWord(o.ending.kind))},
               {"sealed", death.sealed},
               {"path", death.path},
               {"obituary", obituary::ObituaryJson(o)}};
  json["marks"] = Json::array();
  for (const HlMark& mark : death.heap.marks) {
    json["marks"].push_back({{"name", mark.name},
                             {"taken_at", UtcTimeText(mark.taken_realtime_ns)},
                             {"live_bytes", mark.live_bytes},
                             {"live_objects", mark.live_objects}});
  }
  json["history"] = HistoryJson(o);
  std::string text;
  StreamReportJson(report, options, names, 0,
                   [&text](std::string_view piece) { text += piece; });
  json["report"] = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return json;
}

}  // namespace heapledger::collector::cli
