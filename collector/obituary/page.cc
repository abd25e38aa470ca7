// SPDX-License-Identifier: Apache-2.0
#include "collector/obituary/page.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "collector/ledger/utc_time.h"
#include "collector/obituary/verdict.h"
#include "collector/obituary/words.h"
#include "collector/profile/foreign_text.h"

namespace heapledger::collector::obituary {
namespace {

// Of the drawing, in its own units; the page scales it.
constexpr double kWidth = 960;
constexpr double kHeight = 240;
constexpr double kLeft = 80;
constexpr double kRight = 16;
constexpr double kTop = 16;
constexpr double kBottom = 24;
constexpr double kPlotWidth = kWidth - kLeft - kRight;
constexpr double kPlotHeight = kHeight - kTop - kBottom;
constexpr std::uint64_t kNsPerMs = 1'000'000;

struct Curve {
  Column column;
  const char* css_class;
  const char* title;
};
constexpr std::array<Curve, 3> kCurves = {
    {{Column::kCgroup, "cgroup", "memory cgroup"},
     {Column::kResident, "resident", "resident"},
     {Column::kLive, "live", "live heap"}}};

class CurveDrawing {
 public:
  explicit CurveDrawing(const Obituary& obituary) : obituary_(obituary) {
    const auto& rows = obituary.history;
    begin_ms_ = rows.front().time_ms;
    length_ms_ =
        std::max(1.0, static_cast<double>(rows.back().time_ms - begin_ms_));
    for (std::size_t row = 0; row < rows.size(); ++row) {
      for (const Curve& curve : kCurves) {
        highest_ = std::max(highest_, obituary.At(row, curve.column));
      }
    }
  }

  std::string Draw() {
    text_ = absl::StrFormat(
        "<svg class=\"history\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" "
        "aria-label=\"Memory until the end\">\n",
        kWidth, kHeight);
    DrawScale();
    for (const Event& event : obituary_.events) DrawEvent(event);
    for (const Curve& curve : kCurves) DrawCurve(curve);
    return text_ + "</svg>\n";
  }

 private:
  [[nodiscard]] double X(std::uint64_t time_ms) const {
    return kLeft +
           kPlotWidth * static_cast<double>(time_ms - begin_ms_) / length_ms_;
  }
  [[nodiscard]] double Y(std::uint64_t bytes) const {
    return kTop + kPlotHeight * (1 - static_cast<double>(bytes) /
                                         static_cast<double>(highest_));
  }

  void DrawScale() {
    for (const std::uint64_t bytes : {std::uint64_t{0}, highest_}) {
      absl::StrAppendFormat(
          &text_,
          "<line class=\"scale\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" "
          "y2=\"%.1f\"/><text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s"
          "</text>\n",
          kLeft, Y(bytes), kWidth - kRight, Y(bytes), kLeft - 6, Y(bytes) + 4,
          BytesText(static_cast<double>(bytes)));
    }
    const auto clock = [this](double x, const char* anchor,
                              std::uint64_t time_ms) {
      absl::StrAppendFormat(
          &text_, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n",
          x, kHeight - 6, anchor, UtcTimeText(time_ms * kNsPerMs));
    };
    clock(kLeft, "start", obituary_.history.front().time_ms);
    clock(kWidth - kRight, "end", obituary_.history.back().time_ms);
  }

  void DrawEvent(const Event& event) {
    const std::uint64_t time_ms = event.realtime_ns / kNsPerMs;
    if (time_ms < begin_ms_ || time_ms > obituary_.history.back().time_ms) {
      return;
    }
    absl::StrAppendFormat(
        &text_,
        "<line class=\"event\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" "
        "y2=\"%.1f\"><title>%s</title></line>\n",
        X(time_ms), kTop, X(time_ms), kTop + kPlotHeight,
        EscapeMarkup(event.text));
  }

  void DrawCurve(const Curve& curve) {
    std::string points;
    for (std::size_t row = 0; row < obituary_.history.size(); ++row) {
      const std::uint64_t bytes = obituary_.At(row, curve.column);
      // Not known, rather than nothing; a heap can be empty.
      if (bytes == 0 && curve.column != Column::kLive) continue;
      absl::StrAppendFormat(&points, "%.1f,%.1f ",
                            X(obituary_.history[row].time_ms), Y(bytes));
    }
    if (points.empty()) return;
    absl::StrAppend(&text_, "<polyline class=\"", curve.css_class,
                    "\" points=\"", points, "\"><title>", curve.title,
                    "</title></polyline>\n");
  }

  const Obituary& obituary_;
  std::uint64_t begin_ms_ = 0;
  double length_ms_ = 1;
  std::uint64_t highest_ = 1;
  std::string text_;
};

std::string ListItems(const std::vector<std::string>& sentences) {
  std::string text;
  for (const std::string& sentence : sentences) {
    absl::StrAppend(&text, "<li>", EscapeMarkup(sentence), "</li>\n");
  }
  return text;
}

std::string Titled(std::string_view title, std::string_view body) {
  if (body.empty()) return "";
  return absl::StrCat("<h2>", std::string(title), "</h2>\n", std::string(body));
}

std::string Legend(const Obituary& obituary) {
  std::string text;
  for (const Curve& curve : kCurves) {
    const bool drawn =
        std::ranges::any_of(obituary.history, [&curve](const SeriesRow& row) {
          return row.values[static_cast<std::size_t>(curve.column)] != 0;
        });
    if (!drawn) continue;
    absl::StrAppend(&text, "<span class=\"key ", curve.css_class, "\">",
                    curve.title, "</span> ");
  }
  return text.empty() ? "" : "<p class=\"hint\">" + text + "</p>\n";
}

std::string TextOf(const nlohmann::ordered_json& json, const char* name) {
  if (!json.is_object()) return "";
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>()
                                                   : "";
}

std::string Suspects(const Obituary& obituary) {
  if (!obituary.suspects.is_object()) return "";
  const auto suspects = obituary.suspects.find("suspects");
  if (suspects == obituary.suspects.end() || !suspects->is_array()) return "";
  std::string text;
  for (const auto& suspect : *suspects) {
    if (!suspect.is_object()) continue;
    std::string reasons;
    const auto evidence = suspect.find("evidence");
    if (evidence != suspect.end() && evidence->is_array()) {
      for (const auto& kind : *evidence) {
        absl::StrAppend(&reasons, "<br>", EscapeMarkup(TextOf(kind, "kind")),
                        ": ", EscapeMarkup(TextOf(kind, "reason")));
      }
    }
    absl::StrAppend(&text, "<li>", EscapeMarkup(TextOf(suspect, "function")),
                    " <span class=\"id\">",
                    EscapeMarkup(TextOf(suspect, "callsite")), "</span>",
                    reasons, "</li>\n");
  }
  return text.empty() ? "" : "<ul>\n" + text + "</ul>\n";
}

std::string Pressure(const Obituary& obituary) {
  constexpr std::size_t kShown = 3;
  std::string text;
  for (const PressureSample& sample : obituary.pressure) {
    absl::StrAppend(&text, "<li>", UtcTimeText(sample.realtime_ns), ": ",
                    absl::StrFormat("%.0f", 100 * sample.usage_ratio), " % of ",
                    BytesText(static_cast<double>(sample.limit_bytes)));
    for (std::size_t i = 0; i < std::min(kShown, sample.top.size()); ++i) {
      absl::StrAppend(&text, i == 0 ? ": " : ", ",
                      EscapeMarkup(sample.top[i].site.function), " ",
                      BytesText(static_cast<double>(sample.top[i].live_bytes)));
    }
    text += "</li>\n";
  }
  return text.empty() ? "" : "<ul>\n" + text + "</ul>\n";
}

std::string Others(const Obituary& obituary) {
  std::string text;
  for (const BigProcess& other : obituary.others) {
    absl::StrAppend(&text, "<tr><td class=\"number\">",
                    BytesText(static_cast<double>(other.resident_bytes)),
                    "</td><td class=\"number\">", other.pid, "</td><td>",
                    EscapeMarkup(other.name),
                    other.killed ? ", killed too" : "", "</td></tr>\n");
  }
  if (text.empty()) return "";
  return absl::StrCat(
      "<table class=\"plain\"><tr><th class=\"number\">resident</th><th "
      "class=\"number\">pid</th><th>process</th></tr>\n",
      text, "</table>\n");
}

std::string Timeline(const Obituary& obituary) {
  std::string text;
  for (const Event& event : obituary.events) {
    absl::StrAppend(&text, "<tr><td>", UtcTimeText(event.realtime_ns),
                    "</td><td>", EscapeMarkup(event.kind), "</td><td>",
                    EscapeMarkup(event.text), "</td></tr>\n");
  }
  if (text.empty()) return "";
  return absl::StrCat("<table class=\"plain\">\n", text, "</table>\n");
}

}  // namespace

std::string CurveSvg(const Obituary& obituary) {
  if (obituary.history.size() < 2) return "";
  return CurveDrawing(obituary).Draw();
}

std::string PageSection(const LedgerSnapshot& snapshot,
                        const Obituary& obituary,
                        const std::vector<CallsiteFigure>& top) {
  const std::string curve = CurveSvg(obituary);
  const auto list = [](const std::vector<std::string>& sentences) {
    return sentences.empty() ? "" : "<ul>\n" + ListItems(sentences) + "</ul>\n";
  };
  return absl::StrCat(
      "<section id=\"death\" aria-label=\"How it ended\">\n<p "
      "class=\"verdict\">",
      EscapeMarkup(Verdict(snapshot, obituary, top)), ".</p>\n",
      list(obituary.ending.evidence),
      curve.empty() ? "" : Titled("Until the end", curve + Legend(obituary)),
      Titled("Leak suspects", Suspects(obituary)),
      Titled("When memory ran short", Pressure(obituary)),
      Titled("Who else was big", Others(obituary)),
      Titled("Timeline", Timeline(obituary)),
      Titled("Notes", list(obituary.remarks)), "</section>\n");
}

}  // namespace heapledger::collector::obituary
