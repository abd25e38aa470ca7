// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/top_table.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "collector/cli/mode_words.h"
#include "collector/cli/output.h"

namespace heapledger::collector::cli {
namespace {

constexpr std::size_t kTrendLooks = 16;
constexpr std::size_t kTrendRows = 512;
constexpr std::size_t kPageRows = 20;
constexpr std::string_view kKeys =
    "q quit  space pause  m mark  s snapshot  l o a g t sort by live objects "
    "allocated growth age  c f d by callsite function module  Tab next program";

// What tells a row from others, however they are grouped.
std::string KeyOf(const ReportRow& row) {
  if (!row.callsite.empty()) return row.callsite;
  return absl::StrCat(row.name.function, "\n", row.name.module);
}

std::int64_t LiveOf(const ReportRow& row) {
  return static_cast<std::int64_t>(row.counters.live_bytes());
}

// When the first callsite of a row was seen; 0 where nobody knows.
std::uint64_t FirstSeen(const LedgerSnapshot& snapshot, const ReportRow& row) {
  std::uint64_t first = 0;
  for (const std::uint32_t callsite : row.callsites) {
    const std::uint64_t seen =
        snapshot.tables->callsites[callsite].first_seen_monotonic_ns;
    if (seen != 0 && (first == 0 || seen < first)) first = seen;
  }
  return first;
}

std::string SignedBytes(std::int64_t bytes) {
  if (bytes == 0) return "0 B";
  const auto size = static_cast<std::uint64_t>(bytes < 0 ? -bytes : bytes);
  return absl::StrCat(bytes < 0 ? "-" : "+", HumanBytes(size));
}

// The beginning of a line, in characters.
std::string Cut(std::string_view line, std::size_t columns) {
  std::size_t characters = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const bool goes_on = (static_cast<unsigned char>(line[i]) & 0xc0) == 0x80;
    if (!goes_on && characters++ == columns) {
      return std::string(line.substr(0, i));
    }
  }
  return std::string(line);
}

// `text`'s lines, cut to the screen; the last may be missing its end.
std::string Fit(std::string_view text, Terminal::Size size) {
  std::string fitted;
  for (std::size_t row = 0; row < size.rows && !text.empty(); ++row) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (row != 0) fitted += '\n';
    fitted += Cut(text.substr(0, end), size.columns);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return fitted;
}

}  // namespace

std::string Sparkline(const std::deque<double>& values) {
  static constexpr std::array<std::string_view, 8> kHeights = {
      "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  if (values.size() < 2) return "";
  const auto [least, most] = std::ranges::minmax(values);
  if (most <= least) return "";
  std::string line;
  for (const double value : values) {
    const double share = (value - least) / (most - least);
    line += kHeights[static_cast<std::size_t>(share * 7 + 0.5)];
  }
  return line;
}

void TopTable::Add(
    const std::vector<std::shared_ptr<const ProcessView>>& views) {
  if (paused_) return;
  for (auto& [lineage, process] : processes_) process.there = false;
  for (const auto& view : views) {
    const std::uint64_t lineage = view->snapshot->lineage;
    const auto [place, fresh] = processes_.try_emplace(lineage);
    if (fresh) order_.push_back(lineage);
    place->second.there = true;
    Look(place->second, view);
  }
  DropEnded();
}

void TopTable::DropEnded() {
  if (order_.empty()) return;
  const std::uint64_t shown = order_[selected_];
  const std::uint32_t pid = selected()->identity.pid;
  std::uint64_t next = shown;
  for (const auto& [lineage, process] : processes_) {
    if (process.there && process.view->snapshot->identity.pid == pid) {
      next = lineage;
    }
  }
  std::erase_if(order_, [&](std::uint64_t lineage) {
    return lineage != next && !processes_.at(lineage).there;
  });
  std::erase_if(processes_, [&](const auto& entry) {
    return entry.first != next && !entry.second.there;
  });
  selected_ = static_cast<std::size_t>(std::ranges::find(order_, next) -
                                       order_.begin());
}

void TopTable::Look(Process& process,
                    const std::shared_ptr<const ProcessView>& view) {
  if (process.view != nullptr && process.view != view) {
    process.live_before = process.view->snapshot->totals.live_bytes();
    process.seconds =
        static_cast<double>(view->snapshot->taken_monotonic_ns -
                            process.view->snapshot->taken_monotonic_ns) /
        1e9;
  }
  process.view = view;
  ReportOptions options;
  options.by = by_;
  options.limit = 0;
  process.rows = MakeReport(*view, options).rows;  // most live bytes first
  process.before = std::exchange(process.now, {});
  std::unordered_map<std::string, std::deque<double>> trends;
  for (std::size_t i = 0; i < process.rows.size(); ++i) {
    const std::string key = KeyOf(process.rows[i]);
    const std::int64_t live = LiveOf(process.rows[i]);
    process.now[key] = live;
    if (i >= kTrendRows) continue;
    std::deque<double>& trend = trends[key] = std::move(process.trends[key]);
    trend.push_back(static_cast<double>(live));
    if (trend.size() > kTrendLooks) trend.pop_front();
  }
  process.trends = std::move(trends);
}

// What was remembered is of rows that are no more.
void TopTable::Regroup(ProfileGroup by) {
  by_ = by;
  scroll_ = 0;
  since_mark_ = false;
  for (auto& [lineage, process] : processes_) {
    process.now.clear();
    process.marked.clear();
    process.is_marked = false;
    process.trends.clear();
    Look(process, process.view);
  }
}

void TopTable::SelectNext() {
  if (order_.empty()) return;
  selected_ = (selected_ + 1) % order_.size();
  scroll_ = 0;
}

void TopTable::Mark() {
  if (since_mark_) {
    since_mark_ = false;
    message_ = "shows all again";
    return;
  }
  for (auto& [lineage, process] : processes_) {
    process.marked = process.now;
    process.is_marked = true;
  }
  since_mark_ = true;
  sort_ = TopOrder::kGrowth;
  message_ = "marked: shows what grew since, m again for all";
}

TopTable::Wish TopTable::Press(const Key& key) {
  message_.clear();
  switch (key.kind) {
    case Key::Kind::kEnd:
    case Key::Kind::kEscape:
      return Wish::kQuit;
    case Key::Kind::kUp:
      scroll_ -= scroll_ > 0 ? 1 : 0;
      return Wish::kNone;
    case Key::Kind::kDown:
      ++scroll_;
      return Wish::kNone;
    case Key::Kind::kPageUp:
      scroll_ -= std::min(scroll_, kPageRows);
      return Wish::kNone;
    case Key::Kind::kPageDown:
      scroll_ += kPageRows;
      return Wish::kNone;
    case Key::Kind::kCharacter:
      break;
  }
  static constexpr std::array<std::pair<char, TopOrder>, 5> kOrders = {
      {{'l', TopOrder::kLive},
       {'o', TopOrder::kObjects},
       {'a', TopOrder::kAllocated},
       {'g', TopOrder::kGrowth},
       {'t', TopOrder::kAge}}};
  static constexpr std::array<std::pair<char, ProfileGroup>, 3> kGroups = {
      {{'c', ProfileGroup::kCallsite},
       {'f', ProfileGroup::kFunction},
       {'d', ProfileGroup::kModule}}};
  for (const auto& [character, order] : kOrders) {
    if (key.character == character) sort_ = order;
  }
  for (const auto& [character, group] : kGroups) {
    if (key.character == character) Regroup(group);
  }
  switch (key.character) {
    case 'q':
    case '\x03':
      return Wish::kQuit;
    case 's':
      return Selected() == nullptr ? Wish::kNone : Wish::kSnapshot;
    case 'm':
      Mark();
      break;
    case '\t':
      SelectNext();
      break;
    case ' ':
      paused_ = !paused_;
      break;
    default:
      break;
  }
  return Wish::kNone;
}

const TopTable::Process* TopTable::Selected() const {
  if (order_.empty()) return nullptr;
  return &processes_.at(order_[selected_]);
}

std::shared_ptr<const LedgerSnapshot> TopTable::selected() const {
  const Process* const process = Selected();
  return process == nullptr ? nullptr : process->view->snapshot;
}

std::int64_t TopTable::ChangeOf(const Process& process,
                                const ReportRow& row) const {
  const LiveBytes& then =
      since_mark_ && process.is_marked ? process.marked : process.before;
  const auto found = then.find(KeyOf(row));
  return LiveOf(row) - (found == then.end() ? 0 : found->second);
}

std::vector<const ReportRow*> TopTable::Rows(const Process& process) const {
  std::vector<const ReportRow*> rows;
  for (const ReportRow& row : process.rows) {
    const std::int64_t change = ChangeOf(process, row);
    if (since_mark_ ? change <= 0 : change == 0 && LiveOf(row) == 0) continue;
    rows.push_back(&row);
  }
  const LedgerSnapshot& snapshot = *process.view->snapshot;
  const auto figure = [&](const ReportRow* row) -> std::int64_t {
    switch (sort_) {
      case TopOrder::kLive:
        return LiveOf(*row);
      case TopOrder::kObjects:
        return static_cast<std::int64_t>(row->counters.live_objects());
      case TopOrder::kAllocated:
        return static_cast<std::int64_t>(row->counters.allocated_bytes);
      case TopOrder::kGrowth:
        return ChangeOf(process, *row);
      case TopOrder::kAge:
        return -static_cast<std::int64_t>(FirstSeen(snapshot, *row));
    }
    return 0;
  };
  std::vector<std::pair<std::int64_t, const ReportRow*>> keyed;
  keyed.reserve(rows.size());
  for (const ReportRow* row : rows) keyed.emplace_back(figure(row), row);
  std::ranges::stable_sort(
      keyed, [](const auto& a, const auto& b) { return a.first > b.first; });
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = keyed[i].second;
  return rows;
}

std::vector<std::string> TopTable::Cells(const Process& process,
                                         const ReportRow& row) const {
  const LedgerSnapshot& snapshot = *process.view->snapshot;
  std::vector<std::string> cells = {HumanBytes(row.counters.live_bytes()),
                                    HumanCount(row.counters.live_objects())};
  const std::int64_t change = ChangeOf(process, row);
  if (since_mark_) {
    cells.push_back(SignedBytes(change));
  } else {
    cells.push_back(
        process.seconds > 0
            ? HumanRate(static_cast<double>(change) / process.seconds)
            : "");
  }
  const auto trend = process.trends.find(KeyOf(row));
  cells.push_back(trend == process.trends.end() ? ""
                                                : Sparkline(trend->second));
  const std::uint64_t seen = FirstSeen(snapshot, row);
  cells.push_back(seen == 0 || seen > snapshot.taken_monotonic_ns
                      ? ""
                      : HumanAge(snapshot.taken_monotonic_ns - seen));
  if (by_ != ProfileGroup::kModule) {
    cells.push_back(ShortFunction(Printable(row.name.function)));
  }
  cells.push_back(ShortPath(Printable(
      by_ == ProfileGroup::kCallsite ? row.name.Location() : row.name.module)));
  return cells;
}

std::string TopTable::Table(const Process& process, std::size_t limit) const {
  using Align = cli::Table::Align;
  const std::string about = AboutSign(*process.view->snapshot);
  std::vector<cli::Table::Column> columns = {
      {about + "LIVE", Align::kRight},
      {about + "OBJECTS", Align::kRight},
      {about + (since_mark_ ? "SINCE MARK" : "GROWTH"), Align::kRight},
      {"TREND"},
      {"AGE", Align::kRight}};
  if (by_ != ProfileGroup::kModule) columns.push_back({"FUNCTION"});
  columns.push_back({by_ == ProfileGroup::kCallsite ? "LOCATION" : "MODULE"});
  cli::Table table(std::move(columns));
  const std::vector<const ReportRow*> rows = Rows(process);
  const std::size_t first =
      std::min(scroll_, rows.empty() ? 0 : rows.size() - 1);
  for (std::size_t i = first; i < rows.size() && i - first < limit; ++i) {
    table.AddRow(Cells(process, *rows[i]));
  }
  return table.ToString();
}

std::string TopTable::StatusLine() const {
  std::string line;
  if (paused_) line += "PAUSED  ";
  if (!message_.empty()) return line + message_;
  return line + std::string(kKeys);
}

std::string TopTable::Lines(Terminal::Size size) const {
  const Process* const process = Selected();
  if (process == nullptr) {
    return Fit(absl::StrCat(StatusLine(),
                            "\n\nno measured program runs; start "
                            "one with heapledger run -- CMD\n"),
               size);
  }
  Report report;
  report.snapshot = process->view->snapshot;
  if (process->seconds > 0) {
    report.growth = (static_cast<double>(report.snapshot->totals.live_bytes()) -
                     static_cast<double>(process->live_before)) /
                    process->seconds;
  }
  std::string text = ReportHeader(report);
  if (!process->there) text += "ended; this is the last look\n";
  if (order_.size() > 1) {
    absl::StrAppend(&text, "program ", selected_ + 1, " of ", order_.size(),
                    "\n");
  }
  absl::StrAppend(&text, StatusLine(), "\n\n");
  const auto used = static_cast<std::size_t>(std::ranges::count(text, '\n'));
  const std::size_t room = size.rows > used + 1 ? size.rows - used - 1 : 0;
  return Fit(text + Table(*process, room), size);
}

}  // namespace heapledger::collector::cli
