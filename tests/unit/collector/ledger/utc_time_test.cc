// SPDX-License-Identifier: Apache-2.0
#include "collector/ledger/utc_time.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace heapledger::collector {
namespace {

TEST(UtcTimeTextTest, TakesAnyNumber) {
  EXPECT_EQ(UtcTimeText(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(UtcTimeText(1'700'000'000'000'000'000), "2023-11-14T22:13:20Z");
  EXPECT_EQ(UtcTimeText(UINT64_MAX), "2554-07-21T23:34:33Z");
}

}  // namespace
}  // namespace heapledger::collector
