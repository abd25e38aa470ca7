// SPDX-License-Identifier: Apache-2.0
#include "preload/scan/mapping.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace heapledger::preload::scan {
namespace {

using Kind = Mapping::Kind;

Mapping Parse(const std::string& line) {
  Mapping mapping;
  EXPECT_TRUE(ParseMapping(line.data(), line.size(), &mapping)) << line;
  return mapping;
}

TEST(MappingTest, ReadsALineOfAFile) {
  const Mapping mapping = Parse(
      "7f2a3c000000-7f2a3c021000 r-xp 00001000 fe:01 1234 /usr/lib/libc.so.6");
  EXPECT_EQ(mapping.start, 0x7f2a3c000000U);
  EXPECT_EQ(mapping.end, 0x7f2a3c021000U);
  EXPECT_TRUE(mapping.readable);
  EXPECT_FALSE(mapping.writable);
  EXPECT_FALSE(mapping.shared);
  EXPECT_TRUE(mapping.file);
  EXPECT_EQ(mapping.kind, Kind::kPlain);
}

TEST(MappingTest, TellsKindsByTheirNames) {
  const auto kind = [](const char* rest) {
    return Parse(std::string("1000-2000 ") + rest).kind;
  };
  EXPECT_EQ(kind("rw-p 00000000 00:00 0 "), Kind::kPlain);
  EXPECT_EQ(kind("rw-p 00000000 00:00 0"), Kind::kPlain);
  EXPECT_EQ(kind("rw-p 00000000 00:00 0          [heap]"), Kind::kHeap);
  EXPECT_EQ(kind("rw-p 00000000 00:00 0          [stack]"), Kind::kStack);
  EXPECT_EQ(kind("r--p 00000000 00:00 0          [vvar]"), Kind::kKernel);
  EXPECT_EQ(kind("--xp 00000000 00:00 0          [vsyscall]"), Kind::kKernel);
  EXPECT_EQ(kind("rw-s 00000000 00:01 12 /memfd:x (deleted)"),
            Kind::kMemoryFile);
  EXPECT_EQ(kind("rw-s 00000000 00:01 12 /dev/zero (deleted)"),
            Kind::kMemoryFile);
  EXPECT_EQ(kind("rw-s 00000000 00:01 12 /SYSV00000000 (deleted)"),
            Kind::kMemoryFile);
  EXPECT_EQ(kind("rw-s 00000000 00:06 12 /dev/dri/card0"), Kind::kDevice);
  EXPECT_EQ(kind("rw-s 00000000 00:0d 12 anon_inode:[perf_event]"),
            Kind::kDevice);
}

TEST(MappingTest, TellsSharedFromPrivateAndAnonymousFromFiles) {
  EXPECT_TRUE(Parse("1000-2000 rw-s 00000000 00:01 12 /x").shared);
  EXPECT_TRUE(Parse("1000-2000 rw-p 00000000 00:00 0").anonymous());
  EXPECT_FALSE(Parse("1000-2000 rw-p 00000000 00:01 12 /x").anonymous());
}

TEST(MappingTest, RefusesWhatIsNoLine) {
  Mapping mapping;
  for (const std::string line :
       {"", "7f", "1000-2000", "1000 2000 rw-p", "2000-1000 rw-p 0 0:0 0"}) {
    EXPECT_FALSE(ParseMapping(line.data(), line.size(), &mapping)) << line;
  }
}

TEST(MappingReaderTest, PutsLinesTogetherFromAnyPieces) {
  const std::string text =
      "1000-2000 rw-p 00000000 00:00 0          [heap]\n"
      "3000-4000 r--p 00000000 00:01 7 /" +
      std::string(500, 'n') + "\n" + "5000-6000 rw-s 00000000 00:01 7 /y\n";
  for (std::size_t step = 1; step < 70; ++step) {
    MappingReader reader;
    std::vector<Mapping> seen;
    for (std::size_t at = 0; at < text.size(); at += step) {
      const std::string piece = text.substr(at, step);
      ASSERT_TRUE(reader.Feed(
          piece.data(), piece.size(),
          [&](const Mapping& mapping) { seen.push_back(mapping); }));
    }
    ASSERT_EQ(seen.size(), 3U);
    EXPECT_EQ(seen[0].kind, Kind::kHeap);
    EXPECT_EQ(seen[1].start, 0x3000U);
    EXPECT_TRUE(seen[2].shared);
  }
}

}  // namespace
}  // namespace heapledger::preload::scan
