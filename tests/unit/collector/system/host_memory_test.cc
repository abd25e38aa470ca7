// SPDX-License-Identifier: Apache-2.0
#include "collector/system/host_memory.h"

#include <gtest/gtest.h>

#include <string>

#include "collector/system/pressure.h"
#include "collector/system/read_file.h"

namespace heapledger::collector {
namespace {

constexpr char kMeminfo[] =
    "MemTotal:       24684084 kB\n"
    "MemFree:        21447372 kB\n"
    "MemAvailable:   22836424 kB\n"
    "Buffers:           16608 kB\n"
    "Cached:          1491576 kB\n"
    "SwapCached:            8 kB\n"
    "SwapTotal:       2097148 kB\n"
    "SwapFree:        2000000 kB\n"
    "CommitLimit:    12342040 kB\n"
    "Committed_AS:    1355412 kB\n"
    "HugePages_Total:       0\n";

TEST(HostMemoryTest, ReadsMeminfoInBytes) {
  const auto memory = ParseMeminfo(kMeminfo);
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_EQ(memory->total, 24684084UL * 1024);
  EXPECT_EQ(memory->available, 22836424UL * 1024);
  EXPECT_EQ(memory->buffers, 16608UL * 1024);
  EXPECT_EQ(memory->cached, 1491576UL * 1024);
  EXPECT_EQ(memory->swap_total, 2097148UL * 1024);
  EXPECT_EQ(memory->swap_free, 2000000UL * 1024);
  EXPECT_EQ(memory->commit_limit, 12342040UL * 1024);
  EXPECT_EQ(memory->committed_as, 1355412UL * 1024);
}

TEST(HostMemoryTest, NamesTheLineThatIsMissing) {
  std::string text = kMeminfo;
  text.replace(text.find("MemAvailable"), 12, "MemAvailabel");
  EXPECT_EQ(ParseMeminfo(text).status().message(),
            "read meminfo: no line MemAvailable");
  EXPECT_FALSE(ParseMeminfo("").ok());
  EXPECT_FALSE(ParseMeminfo(std::string(100000, 'x')).ok());
}

TEST(HostMemoryTest, ReadsTheHostItRunsOn) {
  const auto text = ReadSmallFile("/proc/meminfo");
  ASSERT_TRUE(text.ok()) << text.status();
  const auto memory = ParseMeminfo(*text);
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_GT(memory->total, memory->available);
}

TEST(HostMemoryTest, ReadsPagingCountersWithZeroForWhatIsMissing) {
  const HostPaging paging = ParseVmstat(
      "pgpgin 9\npswpin 3\npswpout 4\npgfault 50\npgmajfault 6\noom_kill 1\n");
  EXPECT_EQ(paging.swap_in_pages, 3U);
  EXPECT_EQ(paging.swap_out_pages, 4U);
  EXPECT_EQ(paging.faults, 50U);
  EXPECT_EQ(paging.major_faults, 6U);
  EXPECT_EQ(paging.oom_kills, 1U);
  EXPECT_EQ(ParseVmstat("").swap_in_pages, 0U);
}

TEST(PressureTest, ReadsTheTotals) {
  const auto pressure = ParsePressure(
      "some avg10=0.00 avg60=1.00 avg300=0.00 total=123456\n"
      "full avg10=0.00 avg60=0.00 avg300=0.00 total=65\n");
  ASSERT_TRUE(pressure);
  EXPECT_EQ(pressure->some_us, 123456U);
  EXPECT_EQ(pressure->full_us, 65U);
}

TEST(PressureTest, HasNoneWhereTheKernelHasItOff) {
  EXPECT_FALSE(ParsePressure(""));
  EXPECT_FALSE(ParsePressure("some avg10=0.00 total=1\n"));
  EXPECT_FALSE(ParsePressure("some total=x\nfull total=1\n"));
  EXPECT_FALSE(ParsePressure("some\nfull\n"));
}

TEST(ReadSmallFileTest, SaysWhatCouldNotBeRead) {
  EXPECT_EQ(ReadSmallFile("/nonexistent/x").status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadSmallFile("/proc/meminfo", 10)->size(), 10U);
}

}  // namespace
}  // namespace heapledger::collector
