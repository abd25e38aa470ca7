// SPDX-License-Identifier: Apache-2.0
#include "collector/system/cgroup_memory.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/fake_files.h"

namespace heapledger::collector {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

class CgroupMemoryTest : public ::testing::Test {
 protected:
  std::optional<CgroupMemory> Read(CgroupVersion version,
                                   const std::string& group) {
    return ReadCgroupMemory(version, files_.root() + "/" + group);
  }
  void WriteV2(const std::string& group, const std::string& max,
               const std::string& current, const std::string& inactive) {
    files_.Write(group + "/memory.max", max + "\n");
    files_.Write(group + "/memory.current", current + "\n");
    files_.Write(group + "/memory.stat",
                 "anon 1\ninactive_file " + inactive + "\nactive_file 9\n");
    files_.Write(group + "/memory.events",
                 "low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\n"
                 "oom_group_kill 6\n");
  }

  heapledger::testing::FakeFiles files_;
};

TEST_F(CgroupMemoryTest, ReadsAGroupOfV2) {
  WriteV2("g", "104857600", "52428800", "10485760");
  const auto memory = Read(CgroupVersion::kV2, "g");
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->limit, 100 * kMiB);
  EXPECT_EQ(memory->working_set(), 40 * kMiB);
  EXPECT_EQ(memory->headroom(), 60 * kMiB);
  for (std::size_t i = 0; i < kCgroupEventWords.size(); ++i) {
    EXPECT_EQ(memory->events[i], i + 1) << kCgroupEventWords[i];
  }
  EXPECT_EQ(memory->under_oom, std::nullopt);
}

TEST_F(CgroupMemoryTest, ReadsAGroupOfV1) {
  files_.Write("g/memory.limit_in_bytes", "104857600\n");
  files_.Write("g/memory.usage_in_bytes", "52428800\n");
  files_.Write("g/memory.stat",
               "inactive_file 1\ntotal_inactive_file 10485760\n");
  files_.Write("g/memory.failcnt", "7\n");
  files_.Write("g/memory.oom_control",
               "oom_kill_disable 0\nunder_oom 1\noom_kill 2\n");
  const auto memory = Read(CgroupVersion::kV1, "g");
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->headroom(), 60 * kMiB);
  EXPECT_EQ(memory->events[2], 7U);
  EXPECT_EQ(memory->events[4], 2U);
  EXPECT_EQ(memory->events[0], std::nullopt) << "v1 does not count it";
  EXPECT_EQ(memory->under_oom, true);
}

TEST_F(CgroupMemoryTest, KnowsBothWordsForNoLimit) {
  WriteV2("two", "max", "5", "0");
  EXPECT_EQ(Read(CgroupVersion::kV2, "two")->limit, std::nullopt);
  EXPECT_EQ(Read(CgroupVersion::kV2, "two")->headroom(), std::nullopt);
  files_.Write("one/memory.limit_in_bytes", "9223372036854771712\n");
  files_.Write("one/memory.usage_in_bytes", "5\n");
  EXPECT_EQ(Read(CgroupVersion::kV1, "one")->limit, std::nullopt);
}

TEST_F(CgroupMemoryTest, HasNoneOfAGroupWithoutAccounts) {
  EXPECT_FALSE(Read(CgroupVersion::kV2, "gone"));
  files_.Write("root/memory.stat", "anon 1\n");
  EXPECT_FALSE(Read(CgroupVersion::kV2, "root"));
  WriteV2("hostile", "-1", "99999999999999999999", "x");
  EXPECT_FALSE(Read(CgroupVersion::kV2, "hostile"));
  WriteV2("odd", "many", "5", "6");
  const auto odd = Read(CgroupVersion::kV2, "odd");
  ASSERT_TRUE(odd);
  EXPECT_EQ(odd->limit, std::nullopt);
  EXPECT_EQ(odd->working_set(), 0U) << "more inactive than there is";
}

TEST_F(CgroupMemoryTest, LeavesWhatTheTightestGroupLeaves) {
  CgroupMemory inner{.limit = 100 * kMiB, .current = 50 * kMiB};
  CgroupMemory outer{.limit = 200 * kMiB, .current = 190 * kMiB};
  const CgroupMemory open{.limit = std::nullopt, .current = 500 * kMiB};
  CgroupRoom room = RoomOf(std::vector{inner, outer, open});
  EXPECT_EQ(room.limit, 100 * kMiB);
  EXPECT_EQ(room.headroom, 10 * kMiB) << "the parent's";
  outer.inactive_file = 180 * kMiB;
  room = RoomOf(std::vector{inner, outer});
  EXPECT_EQ(room.headroom, 50 * kMiB);
  inner.current = 101 * kMiB;
  EXPECT_EQ(RoomOf(std::vector{inner}).headroom, 0U);
  EXPECT_EQ(RoomOf(std::vector{open}).limit, std::nullopt);
  EXPECT_EQ(RoomOf({}).headroom, std::nullopt);
}

}  // namespace
}  // namespace heapledger::collector
