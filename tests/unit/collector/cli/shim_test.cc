// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/shim.h"

#include <gtest/gtest.h>

#include "collector/cli/shim_environment.h"

namespace heapledger::collector::cli {
namespace {

TEST(PreloadValueTest, PutsTheShimFirstAndKeepsWhatWasThere) {
  EXPECT_EQ(*PreloadValue("/l/s.so", "", ""), "/l/s.so");
  EXPECT_EQ(*PreloadValue("/l/s.so", "", "a.so b.so"), "/l/s.so:a.so b.so");
  EXPECT_EQ(*PreloadValue("/l/s.so", "/j.so", "a.so"), "/l/s.so:/j.so:a.so");
}

TEST(PreloadValueTest, RefusesAPathThatTheLoaderWouldTakeApart) {
  EXPECT_FALSE(PreloadValue("/my lib/s.so", "", "").ok());
  EXPECT_FALSE(PreloadValue("/a:b/s.so", "", "").ok());
}

TEST(AsanOptionsTest, AddsToWhatWasThereAndGivesWayToIt) {
  EXPECT_EQ(AsanOptions(""), "verify_asan_link_order=0");
  EXPECT_EQ(AsanOptions("detect_leaks=0"),
            "detect_leaks=0:verify_asan_link_order=0");
  EXPECT_EQ(AsanOptions("verify_asan_link_order=1"),
            "verify_asan_link_order=1");
}

TEST(FindAllocatorTest, NamesThePackageThatIsMissing) {
  const auto missing = FindAllocator("nosuchalloc");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.status().message(),
            "libnosuchalloc.so.2 is not installed; on Debian: apt install "
            "libnosuchalloc2");
}

}  // namespace
}  // namespace heapledger::collector::cli
