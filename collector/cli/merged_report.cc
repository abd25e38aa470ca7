// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/merged_report.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "collector/cli/output.h"
#include "collector/cli/report_json.h"

namespace heapledger::collector::cli {
namespace {

using Align = Table::Align;
using Json = nlohmann::ordered_json;

// What makes two rows one.
using RowKey = std::tuple<std::string, std::string, std::string>;

RowKey KeyOf(const ReportRow& row) {
  // A fingerprint stands for itself: two builds name it differently.
  if (!row.callsite.empty()) return {row.callsite, "", ""};
  return {"", row.name.function, row.name.module};
}

void AddInto(MergedRow& sum, const MergedRow& row) {
  sum.counters += row.counters;
  for (std::size_t i = 0; i < sum.by_process.size(); ++i) {
    sum.by_process[i] += row.by_process[i];
  }
}

bool Estimated(const MergedReport& report) {
  return std::ranges::any_of(report.processes, [](const auto& snapshot) {
    return snapshot->estimated();
  });
}

std::string ProcessTable(const MergedReport& report) {
  Table table({{"PID", Align::kRight},
               {"PROGRAM"},
               {"LIVE", Align::kRight},
               {"OBJECTS", Align::kRight},
               {"INHERITED", Align::kRight},
               {"ALLOCATED", Align::kRight}});
  for (const auto& snapshot : report.processes) {
    const HeapCounters& totals = snapshot->totals;
    table.AddRow({absl::StrCat(snapshot->identity.pid),
                  Printable(snapshot->identity.Program()),
                  HumanBytes(totals.live_bytes()),
                  HumanCount(totals.live_objects()),
                  HumanBytes(totals.inherited_bytes),
                  HumanBytes(totals.allocated_bytes)});
  }
  return table.ToString();
}

std::string RowTable(const MergedReport& report, const ReportOptions& options) {
  const bool by_callsite = options.by == ProfileGroup::kCallsite;
  const bool bytes = options.value == ProfileValue::kLiveBytes ||
                     options.value == ProfileValue::kAllocatedBytes;
  std::vector<Table::Column> columns = {
      {bytes ? "BYTES" : "NUMBER", Align::kRight}, {"IN", Align::kRight}};
  if (by_callsite) columns.push_back({"CALLSITE"});
  if (options.by != ProfileGroup::kModule) columns.push_back({"FUNCTION"});
  columns.push_back({by_callsite ? "LOCATION" : "MODULE"});
  Table table(std::move(columns));
  const auto add = [&](const MergedRow& row) {
    const std::uint64_t value = ValueOf(row.counters, options.value);
    std::vector<std::string> cells = {
        bytes ? HumanBytes(value) : HumanCount(value),
        absl::StrCat(row.holders())};
    if (by_callsite) cells.push_back(row.callsite);
    if (options.by != ProfileGroup::kModule) {
      cells.push_back(ShortFunction(Printable(row.name.function)));
    }
    cells.push_back(ShortPath(
        Printable(by_callsite ? row.name.Location() : row.name.module)));
    table.AddRow(std::move(cells));
  };
  for (const MergedRow& row : report.rows) add(row);
  if (report.other_rows != 0) {
    MergedRow other = report.other;
    const std::string rest = absl::StrCat(report.other_rows, " more");
    other.callsite = "_other";
    (options.by == ProfileGroup::kModule ? other.name.module
                                         : other.name.function) = rest;
    add(other);
  }
  return table.ToString();
}

Json RowJson(const MergedReport& report, const MergedRow& row) {
  Json json = NameJson(row.callsite, row.name);
  json.update(CountersJson(row.counters));
  json["processes"] = Json::array();
  for (std::size_t i = 0; i < report.processes.size(); ++i) {
    const HeapCounters& share = row.by_process[i];
    if (share == HeapCounters()) continue;
    Json one = {{"pid", report.processes[i]->identity.pid}};
    one.update(CountersJson(share));
    json["processes"].push_back(std::move(one));
  }
  return json;
}

}  // namespace

std::size_t MergedRow::holders() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      by_process,
      [](const HeapCounters& share) { return share.live_objects() != 0; }));
}

MergedReport MergeReports(const Family& processes, const ReportOptions& options,
                          FrameNames& names) {
  ReportOptions all = options;
  all.limit = 0;
  MergedReport merged;
  merged.processes = processes;
  std::map<RowKey, MergedRow> rows;
  for (std::size_t i = 0; i < processes.size(); ++i) {
    merged.totals += processes[i]->totals;
    const Report report = MakeReport(*ViewAll(processes[i], names), all);
    for (const ReportRow& row : report.rows) {
      MergedRow& sum = rows[KeyOf(row)];
      if (sum.by_process.empty()) {
        sum.callsite = row.callsite;
        sum.name = row.name;
        sum.by_process.resize(processes.size());
      }
      sum.counters += row.counters;
      sum.by_process[i] += row.counters;
    }
  }
  for (auto& [key, row] : rows) merged.rows.push_back(std::move(row));
  std::ranges::stable_sort(merged.rows,
                           [&options](const MergedRow& a, const MergedRow& b) {
                             return ValueOf(a.counters, options.sort) >
                                    ValueOf(b.counters, options.sort);
                           });
  merged.other.by_process.resize(processes.size());
  if (options.limit != 0 && merged.rows.size() > options.limit) {
    for (std::size_t i = options.limit; i < merged.rows.size(); ++i) {
      AddInto(merged.other, merged.rows[i]);
    }
    merged.other_rows = merged.rows.size() - options.limit;
    merged.rows.resize(options.limit);
  }
  return merged;
}

std::string MergedText(const MergedReport& report,
                       const ReportOptions& options) {
  const std::size_t count = report.processes.size();
  std::string text = absl::StrCat(
      count, count == 1 ? " process, live " : " processes, live ",
      Estimated(report) ? "~" : "", HumanBytes(report.totals.live_bytes()),
      " in ", HumanCount(report.totals.live_objects()), " objects");
  if (report.totals.inherited_objects != 0) {
    absl::StrAppend(&text, ", of which ",
                    HumanBytes(report.totals.inherited_bytes),
                    " were inherited at forks and share memory until written");
  }
  return absl::StrCat(text, "\n\n", ProcessTable(report), "\n",
                      RowTable(report, options));
}

Json MergedJson(const MergedReport& report, const ReportOptions& options) {
  Json json;
  json["processes"] = Json::array();
  for (const auto& snapshot : report.processes) {
    Json one = {{"pid", snapshot->identity.pid},
                {"program", snapshot->identity.Program()},
                {"state", std::string(StateWord(snapshot->state))}};
    if (snapshot->identity.parent_pid != 0) {
      one["parent_pid"] = snapshot->identity.parent_pid;
    }
    one.update(ModeJson(*snapshot));
    one.update(CountersJson(snapshot->totals));
    json["processes"].push_back(std::move(one));
  }
  json["totals"] = CountersJson(report.totals);
  const char* const rows = options.by == ProfileGroup::kCallsite   ? "callsites"
                           : options.by == ProfileGroup::kFunction ? "functions"
                                                                   : "modules";
  json[rows] = Json::array();
  for (const MergedRow& row : report.rows) {
    json[rows].push_back(RowJson(report, row));
  }
  json["other"] = RowJson(report, report.other);
  json["other"]["rows"] = report.other_rows;
  return json;
}

}  // namespace heapledger::collector::cli
