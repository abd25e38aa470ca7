// SPDX-License-Identifier: Apache-2.0
#include "collector/obituary/series.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <string>

#include "collector/obituary/varint.h"

namespace heapledger::collector::obituary {
namespace {

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
constexpr std::size_t kRoom = std::size_t{1} << 30;

std::vector<SeriesRow> Decoded(const Series& series) {
  const auto rows = DecodeSeries(series.Encode());
  EXPECT_TRUE(rows.ok()) << rows.status();
  return rows.ok() ? *rows : std::vector<SeriesRow>();
}

std::string Refusal(std::string_view bytes) {
  const auto rows = DecodeSeries(bytes);
  EXPECT_FALSE(rows.ok());
  return std::string(rows.status().message());
}

TEST(VarintTest, EveryNumberComesBack) {
  for (int shift = 0; shift < 64; ++shift) {
    for (const std::uint64_t around : {-1, 0, 1}) {
      const std::uint64_t number = (std::uint64_t{1} << shift) + around;
      std::string bytes;
      AppendVarint(number, bytes);
      std::string_view rest = bytes;
      EXPECT_EQ(TakeVarint(rest), number);
      EXPECT_TRUE(rest.empty());
      EXPECT_EQ(UnfoldSign(FoldSign(number)), number);
    }
  }
  std::string_view cut = "\x80";
  EXPECT_EQ(TakeVarint(cut), std::nullopt);
  std::string_view wide = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02";
  EXPECT_EQ(TakeVarint(wide), std::nullopt);
}

TEST(VarintTest, SmallDifferencesOfEitherSignAreShort) {
  for (const std::int64_t difference : {-64, -1, 0, 1, 63}) {
    std::string bytes;
    AppendVarint(FoldSign(static_cast<std::uint64_t>(difference)), bytes);
    EXPECT_EQ(bytes.size(), 1U) << difference;
  }
}

TEST(SeriesTest, GivesBackRandomRowsExactly) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 50; ++round) {
    Series series(kRoom);
    std::vector<SeriesRow> expected;
    std::vector<std::uint64_t> values;
    std::uint64_t time = 1'700'000'000'000;
    for (int i = 0; i < 100; ++i) {
      if (values.size() < 20 && random() % 10 == 0) values.push_back(0);
      for (std::uint64_t& value : values) {
        switch (random() % 4) {
          case 0:
            value = random();
            break;
          case 1:
            value += random() % 1000;
            break;
          case 2:
            value = random() % 2 == 0 ? 0 : kMost;
            break;
          default:
            break;
        }
      }
      time += random() % 2000;
      series.Add(time, values);
      expected.push_back({time, values});
    }
    for (SeriesRow& row : expected) row.values.resize(series.columns());
    EXPECT_EQ(series.Rows(), expected);
    EXPECT_EQ(Decoded(series), expected);
    EXPECT_EQ(series.last(), expected.back());
  }
}

TEST(SeriesTest, NothingIsThereAtFirst) {
  const Series series;
  EXPECT_TRUE(series.Rows().empty());
  EXPECT_TRUE(Decoded(series).empty());
  EXPECT_EQ(series.columns(), 0U);
}

TEST(SeriesTest, LeavesOutARowThatGoesBackInTime) {
  Series series;
  const std::uint64_t value = 5;
  series.Add(1000, {&value, 1});
  series.Add(999, {&value, 1});
  series.Add(1000, {&value, 1});
  EXPECT_EQ(series.rows(), 2U);
}

TEST(SeriesTest, KeepsToItsRoomAndKeepsTheEndFine) {
  Series series(2000);
  constexpr int kRows = 20'000;
  for (int i = 0; i < kRows; ++i) {
    const std::uint64_t values[] = {1000U * static_cast<std::uint64_t>(i), 7};
    series.Add(1000U * static_cast<std::uint64_t>(i), values);
    ASSERT_LE(series.bytes(), 2000U);
  }
  const std::vector<SeriesRow> rows = series.Rows();
  EXPECT_GT(rows.size(), 100U);
  EXPECT_EQ(rows.front().time_ms, 0U);
  EXPECT_EQ(rows.back().time_ms, 1000U * (kRows - 1));
  EXPECT_EQ(rows[rows.size() - 2].time_ms, 1000U * (kRows - 2));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    // What is kept is exact.
    EXPECT_EQ(rows[i].values[0], rows[i].time_ms);
    if (i > 0) {
      EXPECT_GT(rows[i].time_ms, rows[i - 1].time_ms);
    }
  }
  // The older half is the coarser one.
  const std::size_t half = rows.size() / 2;
  EXPECT_GT(rows[half].time_ms - rows[0].time_ms,
            rows.back().time_ms - rows[half].time_ms);
}

TEST(SeriesTest, APeakOutlivesTheThinning) {
  Series series(600);
  for (std::uint64_t i = 0; i < 3000; ++i) {
    const std::uint64_t value = i == 100 ? 1'000'000 : 10;
    series.Add(1000 * i, {&value, 1});
  }
  const std::vector<SeriesRow> rows = series.Rows();
  const auto peak = std::ranges::max_element(
      rows, {}, [](const SeriesRow& row) { return row.values[0]; });
  EXPECT_EQ(peak->values[0], 1'000'000U);
  EXPECT_EQ(peak->time_ms, 100'000U);
}

TEST(SeriesTest, EndsWithinAnyRoom) {
  for (const std::size_t room : {0, 1, 5, 20}) {
    Series series(room);
    for (std::uint64_t i = 0; i < 100; ++i) {
      const std::uint64_t values[] = {i << 40, kMost - i};
      series.Add(1000 * i, values);
    }
    EXPECT_LE(series.rows(), 3U);
    EXPECT_EQ(series.last().time_ms, 99'000U);
  }
}

TEST(SeriesTest, AColumnCanBeGivenToAnotherFigure) {
  Series series;
  for (std::uint64_t i = 1; i < 10; ++i) {
    const std::uint64_t values[] = {i, 100 * i, 3 * i};
    series.Add(i, values);
  }
  series.Clear(1);
  EXPECT_EQ(series.rows(), 9U);
  for (const SeriesRow& row : series.Rows()) {
    EXPECT_EQ(row.values,
              (std::vector<std::uint64_t>{row.time_ms, 0, 3 * row.time_ms}));
  }
}

TEST(SeriesTest, RefusesWhatIsNone) {
  EXPECT_NE(Refusal("").find("cut short"), std::string::npos);
  EXPECT_NE(Refusal(std::string_view("\x02\x01\x00", 3)).find("version"),
            std::string::npos);
  EXPECT_NE(Refusal(std::string_view("\x01\x41\x00", 3)).find("columns"),
            std::string::npos);
  EXPECT_NE(Refusal("\x01\x01\x05").find("more rows"), std::string::npos);
  Series series;
  const std::uint64_t value = 300;
  series.Add(5, {&value, 1});
  series.Add(7, {&value, 1});
  const std::string whole = series.Encode();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(DecodeSeries(std::string_view(whole).substr(0, size)).ok());
  }
  EXPECT_NE(Refusal(whole + "x").find("other rows"), std::string::npos);
}

}  // namespace
}  // namespace heapledger::collector::obituary
