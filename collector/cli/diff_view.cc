// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/diff_view.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "collector/cli/mode_words.h"
#include "collector/cli/output.h"
#include "collector/cli/report_json.h"
#include "collector/ledger/utc_time.h"

namespace heapledger::collector::cli {
namespace {

using Json = nlohmann::ordered_json;

// In the order in which a person wants to know.
constexpr std::array kShown = {Change::kGrown, Change::kNew, Change::kShrunk,
                               Change::kGone};

std::string PlainText(std::int64_t value, ProfileValue of) {
  if (value < 0) return SignedText(value, of);
  const auto figure = static_cast<std::uint64_t>(value);
  return IsBytes(of) ? HumanBytes(figure) : HumanCount(figure);
}

std::string About(const Comparison& comparison) {
  const bool estimated = std::ranges::any_of(
      comparison.facts,
      [](const ProfileFacts& facts) { return facts.estimated; });
  return estimated ? "~" : "";
}

// "orders pid 4242 deploy-41 (2026-11-22T10:00:00Z)"
std::string HeapText(const ProfileFacts& facts) {
  return absl::StrCat(Printable(facts.program), " pid ", facts.pid,
                      facts.moment.empty() ? "" : "  ", Printable(facts.moment),
                      "  ", UtcTimeText(facts.taken_realtime_ns));
}

struct Ends {
  std::int64_t before = 0;
  std::int64_t after = 0;
};

Ends EndsOf(const std::vector<ProfileValues>& values, ProfileValue of) {
  return {values.front().of(of), values.back().of(of)};
}

std::string HeaderText(const Comparison& comparison,
                       const DiffOptions& options) {
  std::string text;
  const std::string about = About(comparison);
  for (std::size_t i = 0; i < comparison.facts.size(); ++i) {
    const char* const role = i == 0                            ? "before  "
                             : i + 1 < comparison.facts.size() ? "then    "
                                                               : "after   ";
    absl::StrAppend(
        &text, role, HeapText(comparison.facts[i]), "  ", about,
        PlainText(comparison.totals[i].of(options.value), options.value), "\n");
  }
  const Ends ends = EndsOf(comparison.totals, options.value);
  absl::StrAppend(&text, ValueWord(options.value), " changed by ", about,
                  SignedText(ends.after - ends.before, options.value), "\n");
  if (comparison.matched_by == MatchedBy::kFingerprints) {
    text +=
        "callsites matched by function names, as the programs' builds "
        "differ\n";
  }
  return text;
}

std::vector<std::string> Cells(const ComparisonRow& row, ProfileGroup by) {
  std::vector<std::string> cells;
  if (by == ProfileGroup::kTag) return {Printable(row.name.function)};
  if (by == ProfileGroup::kCallsite) cells.push_back(row.callsite);
  if (by != ProfileGroup::kModule) {
    cells.push_back(ShortFunction(Printable(row.name.function)));
  }
  cells.push_back(ShortPath(Printable(
      by == ProfileGroup::kCallsite ? row.name.Location() : row.name.module)));
  return cells;
}

std::vector<Table::Column> Columns(const std::string& about, ProfileGroup by) {
  using Align = Table::Align;
  std::vector<Table::Column> columns = {{about + "CHANGE", Align::kRight},
                                        {about + "BEFORE", Align::kRight},
                                        {about + "AFTER", Align::kRight}};
  if (by == ProfileGroup::kTag) {
    columns.push_back({"TAG"});
    return columns;
  }
  if (by == ProfileGroup::kCallsite) columns.push_back({"CALLSITE"});
  if (by != ProfileGroup::kModule) columns.push_back({"FUNCTION"});
  columns.push_back({by == ProfileGroup::kCallsite ? "LOCATION" : "MODULE"});
  return columns;
}

using Rows = std::vector<const ComparisonRow*>;

Rows Select(const Comparison& comparison, const DiffOptions& options) {
  Rows rows;
  for (const ComparisonRow& row : comparison.rows) {
    const bool wanted =
        options.grew_in_all ? row.grew_in_all : row.change != Change::kSame;
    if (wanted) rows.push_back(&row);
  }
  return rows;
}

std::string SectionText(const Comparison& comparison, const Rows& rows,
                        Change change, const DiffOptions& options) {
  Rows fit;
  std::int64_t sum = 0;
  for (const ComparisonRow* const row : rows) {
    if (row->change != change) continue;
    fit.push_back(row);
    const Ends ends = EndsOf(row->values, options.value);
    sum += ends.after - ends.before;
  }
  if (fit.empty()) return "";
  const std::size_t shown =
      options.limit == 0 ? fit.size() : std::min(fit.size(), options.limit);
  Table table(Columns(About(comparison), options.by));
  Ends rest;
  for (std::size_t i = 0; i < fit.size(); ++i) {
    const Ends ends = EndsOf(fit[i]->values, options.value);
    if (i >= shown) {
      rest.before += ends.before;
      rest.after += ends.after;
      continue;
    }
    std::vector<std::string> cells = {
        SignedText(ends.after - ends.before, options.value),
        PlainText(ends.before, options.value),
        PlainText(ends.after, options.value)};
    for (std::string& cell : Cells(*fit[i], options.by)) {
      cells.push_back(std::move(cell));
    }
    table.AddRow(std::move(cells));
  }
  if (shown < fit.size()) {
    ComparisonRow other;
    other.callsite = "_other";
    const std::string more = absl::StrCat(fit.size() - shown, " more");
    other.name.function = more;
    if (options.by == ProfileGroup::kModule) other.name.module = more;
    std::vector<std::string> cells = {
        SignedText(rest.after - rest.before, options.value),
        PlainText(rest.before, options.value),
        PlainText(rest.after, options.value)};
    for (std::string& cell : Cells(other, options.by)) {
      cells.push_back(std::move(cell));
    }
    table.AddRow(std::move(cells));
  }
  return absl::StrCat("\n", ChangeWord(change), ": ", HumanCount(fit.size()),
                      ", ", About(comparison), SignedText(sum, options.value),
                      "\n", table.ToString());
}

Json ValuesJson(const ProfileValues& values) {
  return {{"live_bytes", values.live_bytes},
          {"live_objects", values.live_objects},
          {"allocated_bytes", values.allocated_bytes},
          {"allocations", values.allocated_objects}};
}

Json ListJson(const std::vector<ProfileValues>& values) {
  Json list = Json::array();
  for (const ProfileValues& one : values) list.push_back(ValuesJson(one));
  return list;
}

Json RowJson(const ComparisonRow& row) {
  Json json = NameJson(row.callsite, row.name);
  json["change"] = ChangeWord(row.change);
  json["grew_in_all"] = row.grew_in_all;
  json["difference"] = ValuesJson(row.values.back() - row.values.front());
  json["values"] = ListJson(row.values);
  return json;
}

const char* MatchWord(MatchedBy matched) {
  switch (matched) {
    case MatchedBy::kPcs:
      return "pcs";
    case MatchedBy::kBuildIds:
      return "build-ids";
    case MatchedBy::kFingerprints:
      break;
  }
  return "fingerprints";
}

Json HeapJson(const ProfileFacts& facts) {
  Json json;
  json["pid"] = facts.pid;
  json["program"] = facts.program;
  if (!facts.moment.empty()) json["moment"] = facts.moment;
  json["taken_at"] = UtcTimeText(facts.taken_realtime_ns);
  json["mode"] = std::string(ModeWord(facts.mode));
  json["estimated"] = facts.estimated;
  return json;
}

}  // namespace

std::string SignedText(std::int64_t value, ProfileValue of) {
  // The magnitude of the lowest number has no signed form.
  const auto magnitude =
      value < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(value)
                : static_cast<std::uint64_t>(value);
  const char* const sign = value == 0 ? "" : value < 0 ? "-" : "+";
  return sign + (IsBytes(of) ? HumanBytes(magnitude) : HumanCount(magnitude));
}

std::string DiffText(const Comparison& comparison, const DiffOptions& options) {
  std::string text = HeaderText(comparison, options);
  const Rows rows = Select(comparison, options);
  const std::size_t before = text.size();
  for (const Change change : kShown) {
    text += SectionText(comparison, rows, change, options);
  }
  if (text.size() == before) {
    text += options.grew_in_all ? "\nnothing grew in every interval\n"
                                : "\nnothing changed\n";
  }
  return text;
}

Json DiffJson(const Comparison& comparison, const DiffOptions& options) {
  Json json;
  json["compared"] = Json::array();
  for (const ProfileFacts& facts : comparison.facts) {
    json["compared"].push_back(HeapJson(facts));
  }
  json["matched_by"] = MatchWord(comparison.matched_by);
  json["value"] = ValueWord(options.value);
  json["grew_in_all"] = options.grew_in_all;
  json["totals"] = ListJson(comparison.totals);
  json["difference"] =
      ValuesJson(comparison.totals.back() - comparison.totals.front());
  const Rows rows = Select(comparison, options);
  const std::size_t shown =
      options.limit == 0 ? rows.size() : std::min(rows.size(), options.limit);
  const char* const list = options.by == ProfileGroup::kCallsite   ? "callsites"
                           : options.by == ProfileGroup::kFunction ? "functions"
                           : options.by == ProfileGroup::kTag      ? "tags"
                                                                   : "modules";
  json[list] = Json::array();
  ProfileValues other;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i < shown) {
      json[list].push_back(RowJson(*rows[i]));
    } else {
      other += rows[i]->values.back() - rows[i]->values.front();
    }
  }
  json["other"] = ValuesJson(other);
  json["other"]["rows"] = rows.size() - shown;
  return json;
}

}  // namespace heapledger::collector::cli
