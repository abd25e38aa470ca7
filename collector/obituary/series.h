// SPDX-License-Identifier: Apache-2.0
// A table of figures over time that never takes more than its bytes: rows are
// kept as differences from the row before, and when they fill their room, every
// second row of the older half goes. So the last minutes stay fine and the
// hours before them become coarse; what is kept is kept exactly.
//
// The bytes, which are those of a file too:
//   version (1), columns, rows, then of each row
//     milliseconds since the row before (of the first: since 1970),
//     columns that are new in this row,
//     per column the difference from the row before, sign folded
// all as varints. A column that is new begins at 0.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace heapledger::collector::obituary {

struct SeriesRow {
  std::uint64_t time_ms = 0;          // Unix time
  std::vector<std::uint64_t> values;  // by column

  friend bool operator==(const SeriesRow&, const SeriesRow&) = default;
};

class Series {
 public:
  // Some thousand rows of a dozen columns, which takes an hour at one a second.
  static constexpr std::size_t kDefaultMaxBytes = 32 << 10;
  static constexpr std::size_t kMaxColumns = 64;

  explicit Series(std::size_t max_bytes = kDefaultMaxBytes)
      : max_bytes_(max_bytes) {}

  // Times must not go back; a row that does is left out. There may be more
  // values than in the row before, never fewer.
  // REQUIRES: columns() <= values.size() <= kMaxColumns
  void Add(std::uint64_t time_ms, std::span<const std::uint64_t> values);

  // Gives the place of `column` to a figure that begins now: it has been 0.
  void Clear(std::size_t column);

  // Oldest first, each with columns() values.
  [[nodiscard]] std::vector<SeriesRow> Rows() const;

  [[nodiscard]] std::size_t columns() const { return last_.values.size(); }
  [[nodiscard]] std::size_t rows() const { return rows_; }
  // Of the last row; empty before the first.
  [[nodiscard]] const SeriesRow& last() const { return last_; }
  // What the rows take.
  [[nodiscard]] std::size_t bytes() const { return coded_.size(); }

  [[nodiscard]] std::string Encode() const;

 private:
  void Append(const SeriesRow& row);
  void Rewrite(const std::vector<SeriesRow>& rows);
  void Thin();

  std::size_t max_bytes_;
  std::string coded_;
  std::size_t rows_ = 0;
  SeriesRow last_;
};

// What Encode() wrote, or anybody else. InvalidArgument says what is wrong,
// without a subject ("a row is cut short").
[[nodiscard]] absl::StatusOr<std::vector<SeriesRow>> DecodeSeries(
    std::string_view bytes);

}  // namespace heapledger::collector::obituary
