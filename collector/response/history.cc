// SPDX-License-Identifier: Apache-2.0
#include "collector/response/history.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "collector/response/units.h"

namespace heapledger::collector::response {
namespace {

using Json = nlohmann::json;

// Later than any "seconds since the start" and earlier than any of today.
constexpr double kUnixTimesFrom = 1e9;
constexpr double kMostSeconds = 4e9;

// One row under way: what was read of it, and what is not known yet.
struct Draft {
  HistoryRow row;
  std::optional<double> seconds;
  std::optional<double> used;
  std::optional<double> limit;
  std::optional<double> cgroup;
  std::optional<double> resident;
};

std::optional<double> Number(const std::string& text) {
  double number = 0;
  if (!absl::SimpleAtod(text, &number) || !std::isfinite(number)) {
    return std::nullopt;
  }
  return number;
}

std::optional<double> Seconds(const std::string& text) {
  if (const auto number = Number(text)) {
    if (*number < 0 || *number > kMostSeconds) return std::nullopt;
    return number;
  }
  absl::Time time;
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, nullptr)) {
    return std::nullopt;
  }
  const double seconds = absl::ToDoubleSeconds(time - absl::UnixEpoch());
  if (seconds < 0 || seconds > kMostSeconds) return std::nullopt;
  return seconds;
}

// Takes a field's text; says no where it is no value of it.
using Setter = std::function<bool(Draft&, const std::string&)>;

template <typename Into>
Setter NumberInto(Into into) {
  return [into](Draft& draft, const std::string& text) {
    const auto number = Number(text);
    if (!number || *number < 0) return false;
    into(draft) = *number;
    return true;
  };
}

Setter QuantityInto(Quantity quantity) {
  return NumberInto([quantity](Draft& draft) -> std::optional<double>& {
    return draft.row.reading.reading[quantity];
  });
}

Setter TextInto(std::string Target::*member) {
  return [member](Draft& draft, const std::string& text) {
    draft.row.reading.target.*member = text;
    return true;
  };
}

bool SetPid(Draft& draft, const std::string& text) {
  return absl::SimpleAtoi(text, &draft.row.reading.target.key.pid);
}

bool SetPython(Draft& draft, const std::string& text) {
  return absl::SimpleAtob(text, &draft.row.reading.target.python);
}

bool SetAlert(Draft& draft, const std::string& text) {
  const auto level = LevelOf(text);
  if (level) draft.row.alert = *level;
  return level.has_value();
}

bool SetLive(Draft& draft, const std::string& text) {
  const auto number = Number(text);
  if (!number || *number < 0 || *number > 1e18) return false;
  draft.row.reading.reading.live_bytes = static_cast<std::uint64_t>(*number);
  return true;
}

const std::map<std::string, Setter, std::less<>>& Fields() {
  static const auto* const kFields =
      new std::map<std::string, Setter, std::less<>>{
          {"time",
           [](Draft& draft, const std::string& text) {
             draft.seconds = Seconds(text);
             return draft.seconds.has_value();
           }},
          {"process", TextInto(&Target::process)},
          {"exe", TextInto(&Target::exe)},
          {"cgroup", TextInto(&Target::cgroup)},
          {"pid", SetPid},
          {"python", SetPython},
          {"alert", SetAlert},
          {"live_bytes", SetLive},
          {"used_bytes", NumberInto([](Draft& d) -> std::optional<double>& {
             return d.used;
           })},
          {"limit_bytes", NumberInto([](Draft& d) -> std::optional<double>& {
             return d.limit;
           })},
          {"cgroup_bytes", NumberInto([](Draft& d) -> std::optional<double>& {
             return d.cgroup;
           })},
          {"resident_bytes", NumberInto([](Draft& d) -> std::optional<double>& {
             return d.resident;
           })},
          {"usage", QuantityInto(Quantity::kUsage)},
          {"headroom_bytes", QuantityInto(Quantity::kHeadroom)},
          {"stall", QuantityInto(Quantity::kStall)},
          {"stall_full", QuantityInto(Quantity::kStallFull)},
          {"limit_hits", QuantityInto(Quantity::kLimitHits)},
          {"reclaim", QuantityInto(Quantity::kReclaim)},
          {"exhaustion_seconds", QuantityInto(Quantity::kExhaustion)},
          {"growth_bytes_per_second", QuantityInto(Quantity::kGrowth)},
          {"suspect_bytes", QuantityInto(Quantity::kSuspects)}};
  return *kFields;
}

// A reader of one text's lines.
class Reader {
 public:
  Reader(const std::string& source, std::uint64_t limit_bytes)
      : source_(source), limit_bytes_(limit_bytes) {}

  absl::Status JsonLine(std::string_view line) {
    const auto object = Json::parse(line.begin(), line.end(), nullptr,
                                    /*allow_exceptions=*/false);
    if (object.is_discarded() || !object.is_object()) {
      return Error("is no JSON object");
    }
    Draft draft;
    for (const auto& [name, value] : object.items()) {
      if (value.is_null()) continue;
      const std::string text =
          value.is_string() ? value.get<std::string>() : value.dump();
      if (absl::Status ok = Set(draft, name, text); !ok.ok()) return ok;
    }
    return Add(std::move(draft));
  }

  absl::Status CsvNames(std::string_view line) {
    names_ = Cells(line);
    return absl::OkStatus();
  }

  absl::Status CsvLine(std::string_view line) {
    const std::vector<std::string> cells = Cells(line);
    if (cells.size() != names_.size()) {
      return Error(absl::StrCat("has ", cells.size(),
                                " fields, the first line ", names_.size()));
    }
    Draft draft;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (cells[i].empty()) continue;
      if (absl::Status ok = Set(draft, names_[i], cells[i]); !ok.ok()) {
        return ok;
      }
    }
    return Add(std::move(draft));
  }

  void NextLine() { ++line_; }
  [[nodiscard]] bool has_names() const { return !names_.empty(); }
  [[nodiscard]] History Take() && { return std::move(history_); }

 private:
  absl::Status Error(const std::string& why) const {
    return absl::InvalidArgumentError(
        absl::StrCat(source_, " line ", line_, " ", why));
  }

  // No quotes: neither numbers nor names of programs need them.
  static std::vector<std::string> Cells(std::string_view line) {
    std::vector<std::string> cells;
    for (;;) {
      const std::size_t comma = line.find(',');
      const std::string_view cell = line.substr(0, comma);
      cells.emplace_back(absl::StripAsciiWhitespace(
          absl::string_view(cell.data(), cell.size())));
      if (comma == std::string_view::npos) return cells;
      line.remove_prefix(comma + 1);
    }
  }

  absl::Status Set(Draft& draft, const std::string& name,
                   const std::string& text) {
    const auto field = Fields().find(name);
    if (field == Fields().end()) {
      if (history_.ignored.size() < 100) history_.ignored.insert(name);
      return absl::OkStatus();
    }
    if (field->second(draft, text)) return absl::OkStatus();
    return Error(absl::StrCat("has '", text.substr(0, 60), "' as its ", name,
                              ", which is none"));
  }

  absl::Status Add(Draft draft) {
    if (!draft.seconds) return Error("has no time");
    Reading& reading = draft.row.reading.reading;
    if (!draft.used) draft.used = draft.cgroup ? draft.cgroup : draft.resident;
    if (!draft.limit && limit_bytes_ != 0) {
      draft.limit = static_cast<double>(limit_bytes_);
    }
    if (draft.used && draft.limit && *draft.limit > 0) {
      if (!reading[Quantity::kUsage]) {
        reading[Quantity::kUsage] = *draft.used / *draft.limit;
      }
      if (!reading[Quantity::kHeadroom]) {
        reading[Quantity::kHeadroom] =
            std::max(0.0, *draft.limit - *draft.used);
      }
    }
    constexpr double kMost = 1e18;
    reading.used_bytes =
        static_cast<std::uint64_t>(std::min(draft.used.value_or(0), kMost));
    reading.limit_bytes =
        static_cast<std::uint64_t>(std::min(draft.limit.value_or(0), kMost));
    Target& target = draft.row.reading.target;
    if (target.process.empty()) target.process = "program";
    draft.row.at = Time(static_cast<std::int64_t>(*draft.seconds * 1e9));
    if (!history_.rows.empty() && draft.row.at < history_.rows.back().at) {
      return Error("is earlier than the line before it");
    }
    if (history_.rows.size() >= kMaxHistoryRows) {
      return Error(absl::StrCat("is the last that is read, of ",
                                kMaxHistoryRows, "; cut the history"));
    }
    history_.since_epoch = *draft.seconds >= kUnixTimesFrom;
    history_.rows.push_back(std::move(draft.row));
    return absl::OkStatus();
  }

  const std::string& source_;
  const std::uint64_t limit_bytes_;
  std::size_t line_ = 0;
  std::vector<std::string> names_;
  History history_;
};

}  // namespace

absl::StatusOr<History> ParseHistory(std::string_view text,
                                     const std::string& source,
                                     std::uint64_t limit_bytes) {
  Reader reader(source, limit_bytes);
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    reader.NextLine();
    if (line.empty() || line.starts_with('#')) continue;
    const absl::Status read = line.starts_with('{') ? reader.JsonLine(line)
                              : reader.has_names()  ? reader.CsvLine(line)
                                                    : reader.CsvNames(line);
    if (!read.ok()) return read;
  }
  History history = std::move(reader).Take();
  if (history.rows.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        source,
        ": it has no readings; give CSV with a line of names in front, or a "
        "JSON object a line"));
  }
  return history;
}

}  // namespace heapledger::collector::response
