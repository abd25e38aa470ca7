// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/baseline_view.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "collector/baseline/figures.h"
#include "collector/cli/output.h"
#include "collector/ledger/utc_time.h"

namespace heapledger::collector::cli {
namespace {

using baseline::Sketches;
using Json = nlohmann::ordered_json;

std::string ValueText(std::string_view quantity, double value) {
  if (quantity.ends_with("_bytes")) {
    return HumanBytes(
        static_cast<std::uint64_t>(std::llround(std::min(value, 9e18))));
  }
  if (quantity.ends_with("_ratio")) return absl::StrFormat("%.4f", value);
  return absl::StrFormat("%.1f", value);
}

void AddRows(const Sketches& sketches, const std::string& slot, Table& table) {
  for (std::size_t i = 0; i < baseline::kQuantities; ++i) {
    if (sketches[i].count() == 0) continue;
    const std::string_view word = baseline::kQuantityWords[i];
    std::vector<std::string> cells = {std::string(word), slot,
                                      HumanCount(sketches[i].count())};
    for (const baseline::Statistic& statistic :
         baseline::Describe(sketches[i])) {
      cells.push_back(statistic.value ? ValueText(word, *statistic.value)
                                      : "-");
    }
    table.AddRow(std::move(cells));
  }
}

// "Mon 09h" in UTC.
std::string SlotText(int slot) {
  constexpr const char* kDays[] = {"Mon", "Tue", "Wed", "Thu",
                                   "Fri", "Sat", "Sun"};
  return absl::StrFormat("%s %02dh", kDays[slot / 24], slot % 24);
}

std::string ProgramTable(const std::string& program,
                         const baseline::Period& period, bool slots) {
  using Align = Table::Align;
  std::vector<Table::Column> columns = {
      {"METRIC"}, {"SLOT"}, {"SAMPLES", Align::kRight}};
  for (const baseline::Statistic& statistic :
       baseline::Describe(baseline::QuantileSketch())) {
    std::string title(statistic.word);
    absl::AsciiStrToUpper(&title);
    columns.push_back({std::move(title), Align::kRight});
  }
  Table table(std::move(columns));
  AddRows(period.all, "all", table);
  if (slots) {
    for (const auto& [slot, sketches] : period.slots) {
      AddRows(sketches, SlotText(slot), table);
    }
  }
  return absl::StrCat(Printable(program), ": ", HumanCount(period.samples),
                      " samples from ", UtcTimeText(period.begin_ns), " to ",
                      UtcTimeText(period.end_ns), "\n", table.ToString());
}

Json SketchesJson(const Sketches& sketches) {
  Json json = Json::object();
  for (std::size_t i = 0; i < baseline::kQuantities; ++i) {
    if (sketches[i].count() == 0) continue;
    Json& metric = json[std::string(baseline::kQuantityWords[i])];
    metric["samples"] = sketches[i].count();
    for (const baseline::Statistic& statistic :
         baseline::Describe(sketches[i])) {
      metric[std::string(statistic.word)] =
          statistic.value ? Json(*statistic.value) : Json();
    }
  }
  return json;
}

// Calls `take(program, period)` for each period that is to be shown.
template <typename Take>
void Visit(const baseline::Baseline& baseline,
           const BaselineViewOptions& options, Take&& take) {
  for (const auto& [program, learned] : baseline) {
    if (!options.program.empty() && program != options.program) continue;
    const baseline::Period period =
        options.previous ? learned.previous : learned.Both();
    if (period.samples > 0) take(program, period);
  }
}

}  // namespace

std::string BaselineTable(const baseline::Baseline& baseline,
                          const BaselineViewOptions& options) {
  std::string text;
  Visit(baseline, options,
        [&](const std::string& program, const baseline::Period& period) {
          if (!text.empty()) text += "\n";
          text += ProgramTable(program, period, options.slots);
        });
  return text;
}

Json BaselineJson(const baseline::Baseline& baseline,
                  const BaselineViewOptions& options) {
  Json json;
  json["programs"] = Json::array();
  Visit(baseline, options,
        [&](const std::string& program, const baseline::Period& period) {
          Json entry = {{"program", program},
                        {"begin", UtcTimeText(period.begin_ns)},
                        {"end", UtcTimeText(period.end_ns)},
                        {"samples", period.samples},
                        {"metrics", SketchesJson(period.all)}};
          if (options.slots) {
            entry["slots"] = Json::object();
            for (const auto& [slot, sketches] : period.slots) {
              entry["slots"][std::to_string(slot)] = SketchesJson(sketches);
            }
          }
          json["programs"].push_back(std::move(entry));
        });
  return json;
}

}  // namespace heapledger::collector::cli
