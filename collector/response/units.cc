// SPDX-License-Identifier: Apache-2.0
#include "collector/response/units.h"

#include <array>
#include <charconv>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"

namespace heapledger::collector::response {
namespace {

constexpr std::array<std::string_view, 4> kGrades = {"none", "low", "medium",
                                                     "critical"};

// The number at the front of `text`, which is taken off.
std::optional<double> TakeNumber(std::string_view& text) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || !std::isfinite(number) || number < 0) {
    return std::nullopt;
  }
  text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
  return number;
}

// The factor of a unit of bytes; 0 for none that is known.
double FactorOf(std::string_view unit) {
  if (unit.empty() || unit == "B") return 1;
  constexpr std::string_view kLetters = "KMGT";
  const std::size_t power = kLetters.find(unit[0] == 'k' ? 'K' : unit[0]);
  if (power == std::string_view::npos) return 0;
  unit.remove_prefix(1);
  const double base = unit.empty() || unit == "iB" ? 1024
                      : unit == "B"                ? 1000
                                                   : 0;
  return base == 0 ? 0 : std::pow(base, static_cast<double>(power + 1));
}

}  // namespace

std::optional<double> ParseRatio(std::string_view text) {
  const auto number = TakeNumber(text);
  if (!number) return std::nullopt;
  if (text == "%") {
    if (*number <= 0 || *number > 100) return std::nullopt;
    return *number / 100;
  }
  if (!text.empty() || *number <= 0 || *number > 1) return std::nullopt;
  return *number;
}

std::optional<std::uint64_t> ParseBytes(std::string_view text) {
  const auto number = TakeNumber(text);
  if (!number) return std::nullopt;
  const double bytes = *number * FactorOf(text);
  // Exact in a double, and more than anything has.
  constexpr double kMost = 1LL << 53;
  if (FactorOf(text) == 0 || bytes > kMost) return std::nullopt;
  return static_cast<std::uint64_t>(bytes);
}

std::optional<Duration> ParseSpan(std::string_view text) {
  absl::Duration span;
  if (!absl::ParseDuration(absl::string_view(text.data(), text.size()),
                           &span) ||
      span < absl::ZeroDuration() || span > absl::Hours(24 * 365)) {
    return std::nullopt;
  }
  return absl::ToChronoNanoseconds(span);
}

std::optional<double> ParseValue(Unit unit, std::string_view text) {
  std::optional<double> value;
  switch (unit) {
    case Unit::kRatio:
      value = ParseRatio(text);
      break;
    case Unit::kBytes:
    case Unit::kBytesPerSecond:
      if (const auto bytes = ParseBytes(text)) {
        value = static_cast<double>(*bytes);
      }
      break;
    case Unit::kSeconds:
      if (const auto span = ParseSpan(text)) {
        value = std::chrono::duration<double>(*span).count();
      }
      break;
    case Unit::kCount:
      value = TakeNumber(text);
      if (!text.empty()) value.reset();
      break;
    case Unit::kGrade:
      for (std::size_t grade = 1; grade < kGrades.size(); ++grade) {
        if (text == kGrades[grade]) value = static_cast<double>(grade);
      }
      break;
  }
  if (value && *value <= 0) value.reset();
  return value;
}

std::string_view UnitHelp(Unit unit) {
  switch (unit) {
    case Unit::kRatio:
      return "a share such as 80%";
    case Unit::kBytes:
      return "a size such as 64MiB";
    case Unit::kBytesPerSecond:
      return "bytes per second such as 10MiB";
    case Unit::kSeconds:
      return "a time such as 30m";
    case Unit::kCount:
      return "a number above 0";
    case Unit::kGrade:
      break;
  }
  return "low, medium or critical";
}

std::string BytesText(std::uint64_t bytes) {
  constexpr std::string_view kLetters = "KMGT";
  double value = static_cast<double>(bytes);
  if (value < 1024) return absl::StrCat(bytes, "B");
  std::size_t power = 0;
  for (value /= 1024; value >= 1024 && power + 1 < kLetters.size(); ++power) {
    value /= 1024;
  }
  return absl::StrFormat("%.1f%ciB", value, kLetters[power]);
}

std::string SpanText(Duration span) {
  return absl::FormatDuration(absl::FromChrono(span));
}

std::string UnitText(Unit unit, double value) {
  switch (unit) {
    case Unit::kRatio:
      return absl::StrFormat("%.1f%%", 100 * value);
    case Unit::kBytes:
      return BytesText(static_cast<std::uint64_t>(value));
    case Unit::kBytesPerSecond:
      return BytesText(static_cast<std::uint64_t>(value)) + "/s";
    case Unit::kSeconds:
      return absl::StrFormat("%.0fs", value);
    case Unit::kCount:
      return absl::StrFormat("%g", value);
    case Unit::kGrade:
      break;
  }
  const auto grade = static_cast<std::size_t>(value);
  return std::string(kGrades[grade < kGrades.size() ? grade : 0]);
}

}  // namespace heapledger::collector::response
