// SPDX-License-Identifier: Apache-2.0
// How figures and foreign text become lines for a person.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace heapledger::collector::cli {

// "512 B", "1.5 KiB", "3.20 GiB"
[[nodiscard]] std::string HumanBytes(std::uint64_t bytes);
// "1,234,567"
[[nodiscard]] std::string HumanCount(std::uint64_t count);
// "+1.5 KiB/s", "0 B/s"
[[nodiscard]] std::string HumanRate(double bytes_per_second);
// "42s", "3m05s", "2h10m", "5d03h"
[[nodiscard]] std::string HumanAge(std::uint64_t nanoseconds);

// Names come from the target: control characters and what is no UTF-8 become
// '?', so that no name can drive a terminal.
[[nodiscard]] std::string Printable(std::string_view text);

// A function's name as a table shows it: without parameters, with template
// arguments as "<…>", at most `columns` long. "(anonymous namespace)" and
// operators stay.
[[nodiscard]] std::string ShortFunction(std::string_view name,
                                        std::size_t columns = 60);

// A path as a table shows it: the last two parts of one that is long.
[[nodiscard]] std::string ShortPath(std::string_view path,
                                    std::size_t columns = 40);

// Words on stderr, in colour where that is wanted: a terminal and no NO_COLOR.
enum class Style { kPlain, kBold, kDim, kRed };
[[nodiscard]] std::string Styled(std::string_view text, Style style,
                                 bool colour);
[[nodiscard]] bool WantsColour(int descriptor);

// Columns as wide as their widest cell; the last one runs free.
class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void AddRow(std::vector<std::string> cells) {
    rows_.push_back(std::move(cells));
  }
  // Lines, each with its end.
  [[nodiscard]] std::string ToString() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace heapledger::collector::cli
