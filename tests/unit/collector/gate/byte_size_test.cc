// SPDX-License-Identifier: Apache-2.0
#include "collector/gate/byte_size.h"

#include <gtest/gtest.h>

namespace heapledger::collector::gate {
namespace {

TEST(ByteSize, ReadsWhatPeopleWrite) {
  EXPECT_EQ(ParseByteSize("0"), 0U);
  EXPECT_EQ(ParseByteSize("512"), 512U);
  EXPECT_EQ(ParseByteSize("512B"), 512U);
  EXPECT_EQ(ParseByteSize("64KiB"), 65536U);
  EXPECT_EQ(ParseByteSize("64K"), 65536U);
  EXPECT_EQ(ParseByteSize("64k"), 65536U);
  EXPECT_EQ(ParseByteSize("64KB"), 64000U);
  EXPECT_EQ(ParseByteSize("1M"), 1U << 20);
  EXPECT_EQ(ParseByteSize("2GiB"), 2ULL << 30);
  EXPECT_EQ(ParseByteSize("3T"), 3ULL << 40);
  EXPECT_EQ(ParseByteSize("18446744073709551615"), ~0ULL);
}

TEST(ByteSize, RefusesTheRest) {
  for (const char* text :
       {"", "K", "-1", "+1", " 1", "1 K", "1.5M", "1Kib", "1KiBs", "1X", "0x10",
        "18446744073709551616", "18014398509481984K"}) {
    EXPECT_FALSE(ParseByteSize(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace heapledger::collector::gate
