// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/listen_address.h"

#include <gtest/gtest.h>

#include <string>

namespace heapledger::collector {
namespace {

TEST(ListenAddressTest, KnowsWhatOnlyThisHostCanReach) {
  for (const char* text :
       {"127.0.0.1:9797", "127.8.9.10:0", "[::1]:9797", "localhost:1",
        "unix:/run/heapledger.sock", "[::ffff:127.0.0.1]:80"}) {
    const auto address = ParseListenAddress(text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_TRUE(address->local) << text;
  }
  for (const char* text :
       {"0.0.0.0:9797", "[::]:9797", "10.0.0.1:65535", "[fe80::1]:1"}) {
    const auto address = ParseListenAddress(text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_FALSE(address->local) << text;
  }
}

TEST(ListenAddressTest, ReadsBackAsItWasWritten) {
  for (const char* text : {"127.0.0.1:9797", "[::1]:0", "unix:/tmp/x"}) {
    EXPECT_EQ(ParseListenAddress(text)->ToString(), text);
  }
  EXPECT_EQ(ParseListenAddress("localhost:1")->ToString(), "127.0.0.1:1");
}

TEST(ListenAddressTest, RefusesNamesAndHalfAddresses) {
  for (const std::string text :
       {"", "9797", ":9797", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
        "127.0.0.1:-1", "127.0.0.1: 1", "::1:9797", "[::1]", "[::1:9797",
        "example.org:80", "127.1:80", "unix:", "unix:relative"}) {
    EXPECT_FALSE(ParseListenAddress(text).ok()) << text;
  }
  EXPECT_FALSE(ParseListenAddress("unix:/" + std::string(200, 'x')).ok());
}

}  // namespace
}  // namespace heapledger::collector
