// SPDX-License-Identifier: Apache-2.0
#include "collector/system/process_memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include "collector/system/read_file.h"
#include "tests/support/fake_files.h"

namespace heapledger::collector {
namespace {

TEST(ProcessMemoryTest, ReadsStatusInBytes) {
  const auto memory = ParseStatus(
      "Name:\tVmRSS: 1\nVmPeak:\t9 kB\nVmSize:\t  100 kB\nVmHWM:\t 60 kB\n"
      "VmRSS:\t 50 kB\nRssAnon:\t 30 kB\nRssFile:\t 15 kB\nRssShmem:\t 5 kB\n"
      "VmData:\t 40 kB\nVmStk:\t 8 kB\nVmExe:\t 12 kB\nVmLib:\t 20 kB\n"
      "VmSwap:\t 3 kB\n");
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->resident(), 50U * 1024);
  EXPECT_EQ(memory->anonymous, 30U * 1024);
  EXPECT_EQ(memory->shared(), 20U * 1024);
  EXPECT_EQ(memory->virtual_size, 100U * 1024);
  EXPECT_EQ(memory->peak_resident, 60U * 1024);
  EXPECT_EQ(memory->swap, 3U * 1024);
  EXPECT_EQ(memory->text, 12U * 1024);
  EXPECT_EQ(memory->lib, 20U * 1024);
  EXPECT_EQ(memory->data, 48U * 1024);
}

TEST(ProcessMemoryTest, HasNoneForAKernelThread) {
  EXPECT_FALSE(ParseStatus("Name:\tkthreadd\nState:\tS (sleeping)\n"));
  EXPECT_FALSE(ParseStatus(""));
}

TEST(ProcessMemoryTest, AgreesWithStatmOnThisProcess) {
  const auto text = ReadSmallFile("/proc/self/status");
  ASSERT_TRUE(text.ok());
  const auto memory = ParseStatus(*text);
  ASSERT_TRUE(memory);
  std::uint64_t size = 0, resident = 0, shared = 0, code = 0, lib = 0, data = 0;
  std::ifstream("/proc/self/statm") >> size >> resident >> shared >> code >>
      lib >> data;
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  EXPECT_EQ(memory->virtual_size, size * page);
  EXPECT_EQ(memory->text, code * page);
  EXPECT_EQ(memory->data, data * page);
  EXPECT_NEAR(static_cast<double>(memory->resident()),
              static_cast<double>(resident * page), 1 << 20);
  EXPECT_NEAR(static_cast<double>(memory->shared()),
              static_cast<double>(shared * page), 1 << 20);
}

TEST(ProcessMemoryTest, ReadsStatWithAnyCommand) {
  const auto stat = ParseStat(
      "7 (a) S (b) R 1 2 3 4 5 6 70 8 90 10 11 12 13 14 20 0 1 0 1234 5 6\n");
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->comm, "a) S (b");
  EXPECT_EQ(stat->state, 'R');
  EXPECT_EQ(stat->minor_faults, 70U);
  EXPECT_EQ(stat->major_faults, 90U);
  EXPECT_EQ(stat->start_time_ticks, 1234U);
  for (const char* text : {"", "7", "7 (a", "7 a) S", ") (", "7 (a) S 1 2 3",
                           "7 (a) S 1 2 3 4 5 6 7 8 9 1 1 1 1 1 1 1 1 1 x"}) {
    EXPECT_FALSE(ParseStat(text)) << text;
  }
}

TEST(ProcessMemoryTest, ReadsTheLimitOfTheAddressSpace) {
  const std::string head =
      "Limit                     Soft Limit           Hard Limit           "
      "Units     \n";
  EXPECT_EQ(
      ParseAddressSpaceLimit(
          head + "Max address space         1073741824           unlimited"
                 "            bytes     \n"),
      1073741824U);
  EXPECT_EQ(
      ParseAddressSpaceLimit(
          head + "Max address space         unlimited            unlimited"
                 "            bytes     \n"),
      std::nullopt);
  EXPECT_EQ(ParseAddressSpaceLimit(""), std::nullopt);
}

TEST(ProcessMemoryTest, CountsDescriptors) {
  const auto before = CountDescriptors("/proc/self");
  ASSERT_TRUE(before);
  const int one = ::open("/dev/null", O_RDONLY);
  const int two = ::open("/dev/null", O_RDONLY);
  EXPECT_EQ(CountDescriptors("/proc/self"), *before + 2);
  ::close(one);
  ::close(two);
  testing::FakeFiles files;
  files.Link("7/fd/0", "/dev/null");
  files.Link("7/fd/1", "/dev/null");
  EXPECT_EQ(CountDescriptors(files.root() + "/7"), 2U);
  EXPECT_EQ(CountDescriptors(files.root() + "/8"), std::nullopt);
}

}  // namespace
}  // namespace heapledger::collector
