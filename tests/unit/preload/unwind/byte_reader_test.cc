// SPDX-License-Identifier: Apache-2.0
#include "preload/unwind/byte_reader.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace heapledger::preload::unwind {
namespace {

ByteRange RangeOf(const std::vector<std::uint8_t>& bytes) {
  const auto start = reinterpret_cast<std::uint64_t>(bytes.data());
  return {start, start + bytes.size()};
}

TEST(ByteReaderTest, ReadsFixedNumbersInOrder) {
  const std::vector<std::uint8_t> bytes = {1, 2, 3, 4, 5, 6, 7};
  ByteReader reader(RangeOf(bytes));
  EXPECT_EQ(reader.Read<std::uint8_t>(), 1U);
  EXPECT_EQ(reader.Read<std::uint16_t>(), 0x0302U);
  EXPECT_EQ(reader.Read<std::uint32_t>(), 0x07060504U);
  EXPECT_TRUE(reader.ok());
  EXPECT_TRUE(reader.AtEnd());
}

TEST(ByteReaderTest, AReadPastTheEndFailsForGood) {
  const std::vector<std::uint8_t> bytes = {1, 2, 3};
  ByteReader reader(RangeOf(bytes));
  EXPECT_EQ(reader.Read<std::uint32_t>(), 0U);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.Read<std::uint8_t>(), 0U);
  EXPECT_TRUE(reader.AtEnd());
}

TEST(ByteReaderTest, APositionOutsideTheRangeFails) {
  const std::vector<std::uint8_t> bytes = {1, 2, 3};
  const ByteRange range = RangeOf(bytes);
  EXPECT_FALSE(ByteReader(range, range.start - 1).ok());
  EXPECT_FALSE(ByteReader(range, range.end + 1).ok());
  EXPECT_TRUE(ByteReader(range, range.end).AtEnd());
}

TEST(ByteReaderTest, ReadsLebNumbersOfBothSigns) {
  const std::vector<std::uint8_t> bytes = {0xe5, 0x8e, 0x26, 0x7f,
                                           0x80, 0x7f, 0x3f};
  ByteReader reader(RangeOf(bytes));
  EXPECT_EQ(reader.ReadUnsignedLeb(), 624485U);
  EXPECT_EQ(reader.ReadSignedLeb(), -1);
  EXPECT_EQ(reader.ReadSignedLeb(), -128);
  EXPECT_EQ(reader.ReadSignedLeb(), 63);
  EXPECT_TRUE(reader.ok());
}

TEST(ByteReaderTest, LebNumbersOfTenBytesFitAndLongerOnesFail) {
  std::vector<std::uint8_t> bytes(9, 0xff);
  bytes.push_back(0x01);
  ByteReader ten(RangeOf(bytes));
  EXPECT_EQ(ten.ReadUnsignedLeb(), ~0ULL);
  EXPECT_TRUE(ten.ok());
  bytes.back() = 0x81;
  bytes.push_back(0);
  ByteReader eleven(RangeOf(bytes));
  EXPECT_EQ(eleven.ReadUnsignedLeb(), 0U);
  EXPECT_FALSE(eleven.ok());
}

TEST(ByteReaderTest, TakeNeverReachesPastTheRange) {
  const std::vector<std::uint8_t> bytes = {1, 2, 3};
  ByteReader reader(RangeOf(bytes));
  EXPECT_EQ(reader.Take(2).size(), 2U);
  EXPECT_EQ(reader.Take(~0ULL).size(), 0U);
  EXPECT_FALSE(reader.ok());
}

TEST(ByteReaderTest, EncodedPointersCountFromTheirBase) {
  const std::vector<std::uint8_t> bytes = {0xf0, 0xff, 0xff, 0xff,
                                           0x10, 0,    0,    0};
  ByteReader reader(RangeOf(bytes));
  EXPECT_EQ(reader.ReadEncoded(0x1b, 0), RangeOf(bytes).start - 16);
  EXPECT_EQ(reader.ReadEncoded(0x3b, 0x5000), 0x5010U);
  EXPECT_TRUE(reader.ok());
}

TEST(ByteReaderTest, UnsupportedEncodingsFail) {
  const std::vector<std::uint8_t> bytes(32, 1);
  for (const int encoding : {0x9b, 0x2b, 0x4b, 0x50, 0x05, 0x0f, 0xff, 0x3b}) {
    ByteReader reader(RangeOf(bytes));
    reader.ReadEncoded(static_cast<std::uint8_t>(encoding), 0);
    EXPECT_FALSE(reader.ok()) << encoding;
  }
}

}  // namespace
}  // namespace heapledger::preload::unwind
