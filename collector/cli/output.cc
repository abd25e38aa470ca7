// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/output.h"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace heapledger::collector::cli {
namespace {

// Length of the well-formed UTF-8 sequence at the front that a terminal may
// have, 0 if there is none (control characters, C1 among them).
std::size_t PrintableLength(std::string_view text) {
  const auto byte = [text](std::size_t i) {
    return static_cast<unsigned char>(text[i]);
  };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return lead < 0x20 || lead == 0x7f ? 0 : 1;
  std::size_t length = 0;
  std::uint32_t code = 0;
  if (lead >= 0xc2 && lead < 0xe0) {
    length = 2;
    code = lead & 0x1f;
  } else if (lead >= 0xe0 && lead < 0xf0) {
    length = 3;
    code = lead & 0x0f;
  } else if (lead >= 0xf0 && lead < 0xf5) {
    length = 4;
    code = lead & 0x07;
  }
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = (code << 6) | (byte(i) & 0x3f);
  }
  constexpr std::array<std::uint32_t, 5> kSmallest = {0, 0, 0xa0, 0x800,
                                                      0x10000};
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  return code < kSmallest[length] || code > 0x10ffff || surrogate ? 0 : length;
}

// Characters, not bytes: what a terminal shows in one cell each, mostly.
std::size_t Width(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

}  // namespace

std::string HumanBytes(std::uint64_t bytes) {
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  constexpr std::array kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  // 1023.95 would print as 1024.0.
  while (value >= 1023.95 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

std::string HumanCount(std::uint64_t count) {
  const std::string digits = absl::StrCat(count);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string HumanRate(double bytes_per_second) {
  const auto size =
      static_cast<std::uint64_t>(std::llround(std::fabs(bytes_per_second)));
  const char* const sign = size == 0 ? "" : (bytes_per_second < 0 ? "-" : "+");
  return absl::StrCat(sign, HumanBytes(size), "/s");
}

std::string HumanAge(std::uint64_t nanoseconds) {
  const std::uint64_t seconds = nanoseconds / 1'000'000'000;
  if (seconds < 60) return absl::StrCat(seconds, "s");
  if (seconds < 3600) {
    return absl::StrFormat("%dm%02ds", seconds / 60, seconds % 60);
  }
  if (seconds < 86400) {
    return absl::StrFormat("%dh%02dm", seconds / 3600, seconds / 60 % 60);
  }
  return absl::StrFormat("%dd%02dh", seconds / 86400, seconds / 3600 % 24);
}

std::string Printable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = PrintableLength(text);
    if (length == 0) {
      result += '?';
      text.remove_prefix(1);
    } else {
      result += text.substr(0, length);
      text.remove_prefix(length);
    }
  }
  return result;
}

std::string ShortFunction(std::string_view name, std::size_t columns) {
  constexpr std::string_view kAnonymous = "(anonymous namespace)";
  constexpr std::string_view kEllipsis = "…";
  std::string shortened;
  int depth = 0;  // of template arguments
  for (std::size_t i = 0; i < name.size(); ++i) {
    const std::string_view rest = name.substr(i);
    if (rest.starts_with("operator")) {
      // Its signs are no brackets: everything up to the parameters.
      std::size_t end = rest.find('(');
      if (rest.starts_with("operator()")) end = 10;
      const std::string_view whole = rest.substr(0, end);
      if (depth == 0) shortened += whole;
      i += whole.size() - 1;
    } else if (rest.starts_with(kAnonymous)) {
      if (depth == 0) shortened += kAnonymous;
      i += kAnonymous.size() - 1;
    } else if (name[i] == '<') {
      if (depth++ == 0) shortened += "<…>";
    } else if (name[i] == '>') {
      --depth;
    } else if (depth == 0 && name[i] == '(') {
      break;
    } else if (depth == 0) {
      shortened += name[i];
    }
  }
  if (shortened.size() <= columns) return shortened;
  // The end says more than the namespaces in front. Not inside a character.
  std::size_t cut = shortened.size() - columns + 1;
  while (cut < shortened.size() && (shortened[cut] & 0xc0) == 0x80) ++cut;
  return std::string(kEllipsis) + shortened.substr(cut);
}

std::string ShortPath(std::string_view path, std::size_t columns) {
  if (path.size() <= columns) return std::string(path);
  const std::size_t last = path.rfind('/');
  if (last == std::string_view::npos || last == 0) return std::string(path);
  const std::size_t before = path.rfind('/', last - 1);
  if (before == std::string_view::npos || before == 0) {
    return std::string(path);
  }
  return "…" + std::string(path.substr(before));
}

std::string Styled(std::string_view text, Style style, bool colour) {
  if (!colour || style == Style::kPlain) return std::string(text);
  const char* const code = style == Style::kBold  ? "1"
                           : style == Style::kDim ? "2"
                                                  : "31";
  return absl::StrCat("\x1b[", code, "m", std::string(text), "\x1b[0m");
}

bool WantsColour(int descriptor) {
  const char* const no_colour = getenv("NO_COLOR");
  return (no_colour == nullptr || *no_colour == '\0') &&
         isatty(descriptor) != 0;
}

std::string Table::ToString() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = Width(columns_[i].title);
    for (const auto& row : rows_) width = std::max(width, Width(row[i]));
    widths.push_back(width);
  }
  std::string text;
  const auto add = [&](std::size_t column, std::string_view cell) {
    const std::string fill(widths[column] - Width(cell), ' ');
    if (column > 0) text += "  ";
    if (columns_[column].align == Align::kRight) text += fill;
    text += cell;
    const bool last = column + 1 == columns_.size();
    if (columns_[column].align == Align::kLeft && !last) text += fill;
    if (last) text += '\n';
  };
  for (std::size_t i = 0; i < columns_.size(); ++i) add(i, columns_[i].title);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) add(i, row[i]);
  }
  return text;
}

}  // namespace heapledger::collector::cli
