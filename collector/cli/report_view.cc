// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/report_view.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "collector/cli/mode_words.h"
#include "collector/cli/output.h"

namespace heapledger::collector::cli {
namespace {

// More callsites than any ledger holds.
constexpr std::size_t kAllCallsites = std::size_t{1} << 30;

std::vector<ReportRow> CallsiteRows(const ProcessView& view) {
  std::vector<ReportRow> rows;
  for (const CallsiteView& callsite : view.top) {
    ReportRow& row = rows.emplace_back();
    row.callsite = callsite.fingerprint.ToString();
    row.name = callsite.name;
    row.counters = callsite.counters;
    row.callsites = callsite.callsites;
    row.cut = callsite.cut;
  }
  return rows;
}

// Callsites of one function or module added up.
std::vector<ReportRow> GroupedRows(const ProcessView& view, ProfileGroup by) {
  std::map<std::pair<std::string, std::string>, ReportRow> groups;
  for (const CallsiteView& callsite : view.top) {
    CallsiteName name = callsite.name;
    name.line = 0;
    if (by == ProfileGroup::kModule) {
      if (name.module.empty()) name.module = name.function;
      name.function.clear();
      name.file.clear();
    }
    ReportRow& row = groups[{name.function, name.module}];
    row.name = name;
    row.counters += callsite.counters;
    row.callsites.insert(row.callsites.end(), callsite.callsites.begin(),
                         callsite.callsites.end());
  }
  std::vector<ReportRow> rows;
  for (auto& [key, row] : groups) rows.push_back(std::move(row));
  return rows;
}

// What a process without tags allocated has none.
std::vector<ReportRow> TagRows(const LedgerSnapshot& snapshot) {
  std::vector<TagAccount> accounts = AccountsByTag(snapshot);
  if (accounts.empty()) {
    accounts.push_back({{std::string(kUntaggedName), {}}, snapshot.totals, {}});
  }
  std::vector<ReportRow> rows;
  for (TagAccount& account : accounts) {
    ReportRow& row = rows.emplace_back();
    row.name.function = account.tag.Text();
    row.counters = account.counters;
    row.tag = std::move(account);
  }
  return rows;
}

std::vector<ReportRow> RowsBy(const ProcessView& view, ProfileGroup by) {
  if (by == ProfileGroup::kCallsite) return CallsiteRows(view);
  if (by == ProfileGroup::kTag) return TagRows(*view.snapshot);
  return GroupedRows(view, by);
}

double Seconds(const LedgerSnapshot& before, const LedgerSnapshot& after) {
  return static_cast<double>(after.taken_monotonic_ns -
                             before.taken_monotonic_ns) /
         1e9;
}

double Rate(const HeapCounters& before, const HeapCounters& after,
            double seconds) {
  return (static_cast<double>(after.live_bytes()) -
          static_cast<double>(before.live_bytes())) /
         seconds;
}

void AddGrowth(const ProcessView& before, Report& report) {
  const double seconds = Seconds(*before.snapshot, *report.snapshot);
  if (seconds <= 0) return;
  std::unordered_map<std::string, const HeapCounters*> earlier;
  for (const CallsiteView& callsite : before.top) {
    earlier[callsite.fingerprint.ToString()] = &callsite.counters;
  }
  for (ReportRow& row : report.rows) {
    const auto found = earlier.find(row.callsite);
    row.growth = Rate(found == earlier.end() ? HeapCounters() : *found->second,
                      row.counters, seconds);
  }
  report.growth =
      Rate(before.snapshot->totals, report.snapshot->totals, seconds);
}

std::string ValueText(const HeapCounters& counters, ProfileValue value) {
  const std::uint64_t number = ValueOf(counters, value);
  return value == ProfileValue::kLiveBytes ||
                 value == ProfileValue::kAllocatedBytes
             ? HumanBytes(number)
             : HumanCount(number);
}

std::string ValueTitle(ProfileValue value) {
  switch (value) {
    case ProfileValue::kLiveBytes:
      return "LIVE";
    case ProfileValue::kLiveObjects:
      return "OBJECTS";
    case ProfileValue::kAllocatedBytes:
      return "ALLOCATED";
    case ProfileValue::kAllocations:
      return "ALLOCATIONS";
  }
  return "";
}

std::string StackText(const LedgerSnapshot& snapshot, std::uint32_t callsite,
                      FrameNames& names) {
  std::string text;
  const CallsiteInfo& info = snapshot.tables->callsites[callsite];
  for (const std::uint32_t frame : snapshot.stack(info)) {
    for (const ResolvedFrame& f : names.Resolve(snapshot, frame)) {
      const CallsiteName place{"", f.module, f.file, f.line};
      absl::StrAppend(&text, "      ", Printable(FrameFunction(f)), "  ",
                      Printable(place.Location()),
                      f.inlined ? "  (inlined)" : "", "\n");
    }
  }
  if (info.truncated) text += "      … deeper than --max-depth\n";
  if (info.incomplete) text += "      … no unwind rule beyond\n";
  if (info.cut) text += "      … outer frames cut by adaptive depth\n";
  return text;
}

}  // namespace

std::uint64_t ValueOf(const HeapCounters& counters, ProfileValue value) {
  switch (value) {
    case ProfileValue::kLiveBytes:
      return counters.live_bytes();
    case ProfileValue::kLiveObjects:
      return counters.live_objects();
    case ProfileValue::kAllocatedBytes:
      return counters.allocated_bytes;
    case ProfileValue::kAllocations:
      return counters.allocated_objects;
  }
  return 0;
}

AccountOptions EveryCallsite() {
  AccountOptions options;
  options.top_limit = kAllCallsites;
  options.history_limit = 0;
  return options;
}

std::shared_ptr<const ProcessView> ViewAll(
    std::shared_ptr<const LedgerSnapshot> snapshot, FrameNames& names) {
  return ProcessAccount(EveryCallsite(), &names).Update(std::move(snapshot));
}

Report MakeReport(const ProcessView& view, const ReportOptions& options,
                  const ProcessView* before) {
  Report report;
  report.snapshot = view.snapshot;
  report.rows = RowsBy(view, options.by);
  std::ranges::stable_sort(
      report.rows, [&](const ReportRow& a, const ReportRow& b) {
        return std::tuple(ValueOf(b.counters, options.sort), a.callsite) <
               std::tuple(ValueOf(a.counters, options.sort), b.callsite);
      });
  if (options.limit != 0 && report.rows.size() > options.limit) {
    for (std::size_t i = options.limit; i < report.rows.size(); ++i) {
      report.other += report.rows[i].counters;
    }
    report.other_rows = report.rows.size() - options.limit;
    report.rows.resize(options.limit);
  }
  if (before != nullptr) AddGrowth(*before, report);
  return report;
}

std::string ReportTable(const Report& report, const ReportOptions& options,
                        FrameNames& names) {
  if (report.snapshot->never_armed()) return "";
  using Align = Table::Align;
  const bool by_callsite = options.by == ProfileGroup::kCallsite;
  const std::string about = AboutSign(*report.snapshot);
  const bool grows = report.growth.has_value();
  const ProfileValue companion = Companion(options.value);
  std::vector<Table::Column> columns = {
      {about + ValueTitle(options.value), Align::kRight},
      {about + ValueTitle(companion), Align::kRight}};
  if (grows) columns.push_back({about + "GROWTH", Align::kRight});
  if (by_callsite) columns.push_back({"CALLSITE"});
  const bool by_tag = options.by == ProfileGroup::kTag;
  if (by_tag) {
    columns.push_back({"OPEN SCOPES", Align::kRight});
  } else if (options.by != ProfileGroup::kModule) {
    columns.push_back({"FUNCTION"});
  }
  columns.push_back({by_callsite ? "LOCATION" : by_tag ? "TAG" : "MODULE"});
  Table table(std::move(columns));
  const auto add = [&](const ReportRow& row) {
    std::vector<std::string> cells = {ValueText(row.counters, options.value),
                                      ValueText(row.counters, companion)};
    if (grows) cells.push_back(row.growth ? HumanRate(*row.growth) : "");
    if (by_callsite) cells.push_back(row.callsite);
    if (by_tag) {
      const bool scoped = row.tag && row.tag->scopes.begun != 0;
      cells.push_back(scoped ? HumanCount(row.tag->scopes.open()) : "");
      cells.push_back(Printable(row.name.function));
      table.AddRow(std::move(cells));
      return;
    }
    if (options.by != ProfileGroup::kModule) {
      cells.push_back(ShortFunction(Printable(row.name.function)));
    }
    cells.push_back(ShortPath(Printable(by_callsite ? row.name.Location()
                                                    : row.name.module)) +
                    (row.cut ? "  (cut)" : ""));
    table.AddRow(std::move(cells));
  };
  for (const ReportRow& row : report.rows) add(row);
  if (report.other_rows != 0) {
    ReportRow other;
    other.counters = report.other;
    other.callsite = "_other";
    const std::string rest = absl::StrCat(report.other_rows, " more");
    other.name.function = rest;
    other.name.module = options.by == ProfileGroup::kModule ? rest : "";
    add(other);
  }
  std::string text = table.ToString();
  if (!options.stacks || !by_callsite) return text;
  for (const ReportRow& row : report.rows) {
    absl::StrAppend(&text, "\n  ", row.callsite, "  ",
                    ValueText(row.counters, options.value), "\n",
                    StackText(*report.snapshot, row.callsites.front(), names));
  }
  return text;
}

}  // namespace heapledger::collector::cli
