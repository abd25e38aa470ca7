// SPDX-License-Identifier: Apache-2.0
#include "collector/profile/protobuf_writer.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>

namespace heapledger::collector {
namespace {

using std::string_literals::operator""s;

TEST(ProtobufWriterTest, WritesTheExamplesOfTheSpecification) {
  // https://protobuf.dev/programming-guides/encoding/
  ProtobufWriter a;
  a.AddVarint(1, 150);
  EXPECT_EQ(a.bytes(), "\x08\x96\x01");
  ProtobufWriter b;
  b.AddBytes(2, "testing");
  EXPECT_EQ(b.bytes(), "\x12\x07testing");
  ProtobufWriter c;
  c.AddMessage(3, a);
  EXPECT_EQ(c.bytes(), "\x1a\x03\x08\x96\x01");
  ProtobufWriter packed;
  const std::array<std::uint64_t, 3> numbers = {3, 270, 86942};
  packed.AddPacked(6, std::span<const std::uint64_t>(numbers));
  EXPECT_EQ(packed.bytes(), "\x32\x06\x03\x8e\x02\x9e\xa7\x05");
}

TEST(ProtobufWriterTest, LeavesOutZerosButNotInLists) {
  ProtobufWriter writer;
  writer.AddVarint(1, 0);
  writer.AddInt(2, 0);
  EXPECT_EQ(writer.bytes(), "");
  const std::array<std::int64_t, 2> numbers = {0, -1};
  writer.AddPacked(1, std::span<const std::int64_t>(numbers));
  EXPECT_EQ(writer.bytes(),
            "\x0a\x0b\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s);
}

}  // namespace
}  // namespace heapledger::collector
