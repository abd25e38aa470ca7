// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/gzip.h"

#include <gtest/gtest.h>

namespace heapledger::collector {
namespace {

TEST(AcceptsGzipTest, ReadsTheHeaderAsTheRfcHasIt) {
  EXPECT_TRUE(AcceptsGzip("gzip"));
  EXPECT_TRUE(AcceptsGzip("deflate, GZip;q=0.5"));
  EXPECT_TRUE(AcceptsGzip("*"));
  EXPECT_TRUE(AcceptsGzip("br , gzip ; q=0.001"));
  EXPECT_FALSE(AcceptsGzip(""));
  EXPECT_FALSE(AcceptsGzip("identity"));
  EXPECT_FALSE(AcceptsGzip("gzip;q=0"));
  EXPECT_FALSE(AcceptsGzip("*, gzip;q=0.000"));
  EXPECT_FALSE(AcceptsGzip("*;q=0"));
  EXPECT_FALSE(AcceptsGzip("x-gzip-not, gzipped"));
  EXPECT_FALSE(AcceptsGzip("identity, gzip;q=0.9")) << "the client prefers it";
  EXPECT_TRUE(AcceptsGzip("identity;q=0.5, gzip;q=0.5"));
}

}  // namespace
}  // namespace heapledger::collector
