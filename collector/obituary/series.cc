// SPDX-License-Identifier: Apache-2.0
#include "collector/obituary/series.h"

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "collector/obituary/varint.h"

namespace heapledger::collector::obituary {
namespace {

constexpr std::uint64_t kVersion = 1;
// A row of any version takes a byte at least, so a short text cannot claim more
// rows than this many values of it.
constexpr std::size_t kMaxValues = std::size_t{1} << 24;

void AppendRow(const SeriesRow& before, const SeriesRow& row,
               std::string& out) {
  AppendVarint(row.time_ms - before.time_ms, out);
  AppendVarint(row.values.size() - before.values.size(), out);
  for (std::size_t i = 0; i < row.values.size(); ++i) {
    const std::uint64_t old = i < before.values.size() ? before.values[i] : 0;
    AppendVarint(FoldSign(row.values[i] - old), out);
  }
}

// Makes `row` the one behind it. False where the bytes are no row.
bool TakeRow(std::string_view& bytes, SeriesRow& row) {
  const auto step = TakeVarint(bytes);
  if (!step || *step > UINT64_MAX - row.time_ms) return false;
  const auto added = TakeVarint(bytes);
  if (!added || *added > Series::kMaxColumns - row.values.size()) return false;
  row.time_ms += *step;
  row.values.resize(row.values.size() + *added);
  for (std::uint64_t& value : row.values) {
    const auto difference = TakeVarint(bytes);
    if (!difference) return false;
    value += UnfoldSign(*difference);
  }
  return true;
}

}  // namespace

void Series::Add(std::uint64_t time_ms, std::span<const std::uint64_t> values) {
  if (rows_ > 0 && time_ms < last_.time_ms) return;
  Append({time_ms, {values.begin(), values.end()}});
  if (coded_.size() > max_bytes_) Thin();
}

void Series::Append(const SeriesRow& row) {
  AppendRow(last_, row, coded_);
  last_ = row;
  ++rows_;
}

void Series::Rewrite(const std::vector<SeriesRow>& rows) {
  coded_.clear();
  rows_ = 0;
  last_ = {};
  for (const SeriesRow& row : rows) Append(row);
}

void Series::Clear(std::size_t column) {
  std::vector<SeriesRow> rows = Rows();
  for (SeriesRow& row : rows) row.values[column] = 0;
  Rewrite(rows);
}

// Of two neighbours the one with the higher first figure stays, so that no peak
// is lost; the first and the last row always do.
void Series::Thin() {
  std::vector<SeriesRow> rows = Rows();
  while (coded_.size() > max_bytes_ && rows.size() > 2) {
    const std::size_t half = std::max<std::size_t>(rows.size() / 2, 3);
    std::vector<SeriesRow> kept = {rows.front()};
    std::size_t i = 1;
    for (; i + 1 < std::min(half, rows.size() - 1); i += 2) {
      const bool first =
          rows[i].values.empty() || rows[i].values[0] >= rows[i + 1].values[0];
      kept.push_back(std::move(first ? rows[i] : rows[i + 1]));
    }
    // What is too few to pair goes before the newest would.
    if (i == 1) ++i;
    for (; i < rows.size(); ++i) kept.push_back(std::move(rows[i]));
    rows = std::move(kept);
    Rewrite(rows);
  }
}

std::vector<SeriesRow> Series::Rows() const {
  std::vector<SeriesRow> rows;
  std::string_view rest = coded_;
  SeriesRow row;
  while (rows.size() < rows_ && TakeRow(rest, row)) rows.push_back(row);
  for (SeriesRow& earlier : rows) earlier.values.resize(columns());
  return rows;
}

std::string Series::Encode() const {
  std::string bytes;
  AppendVarint(kVersion, bytes);
  AppendVarint(columns(), bytes);
  AppendVarint(rows_, bytes);
  return bytes + coded_;
}

absl::StatusOr<std::vector<SeriesRow>> DecodeSeries(std::string_view bytes) {
  const auto version = TakeVarint(bytes);
  const auto columns = TakeVarint(bytes);
  const auto count = TakeVarint(bytes);
  if (!version || !columns || !count) {
    return absl::InvalidArgumentError("its beginning is cut short");
  }
  if (*version != kVersion) {
    return absl::InvalidArgumentError(
        "it is of a version that this build does not read");
  }
  if (*columns > Series::kMaxColumns) {
    return absl::InvalidArgumentError("it has more columns than any can have");
  }
  if (*count > bytes.size() || *count * (*columns + 1) > kMaxValues) {
    return absl::InvalidArgumentError("it counts more rows than it holds");
  }
  std::vector<SeriesRow> rows;
  rows.reserve(*count);
  SeriesRow row;
  for (std::uint64_t i = 0; i < *count; ++i) {
    if (!TakeRow(bytes, row)) {
      return absl::InvalidArgumentError("a row of it is cut short");
    }
    rows.push_back(row);
  }
  if (!bytes.empty() || row.values.size() != (rows.empty() ? 0 : *columns)) {
    return absl::InvalidArgumentError("it holds other rows than it counts");
  }
  for (SeriesRow& earlier : rows) earlier.values.resize(*columns);
  return rows;
}

}  // namespace heapledger::collector::obituary
