// SPDX-License-Identifier: Apache-2.0
#include "collector/system/cgroup_paths.h"

#include <gtest/gtest.h>

namespace heapledger::collector {
namespace {

constexpr char kV1[] =
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "34 31 0:31 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup "
    "rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup "
    "rw,memory\n";
constexpr char kV2[] =
    "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 master:1 - cgroup2 cgroup2 "
    "rw,nsdelegate,memory_recursiveprot\n";
constexpr char kUnified[] =
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";

CgroupPlace Locate(const std::string& mountinfo, const std::string& groups) {
  const auto place = LocateCgroup(ParseCgroupMounts(mountinfo),
                                  ParseCgroupMembership(groups), "/root");
  EXPECT_TRUE(place) << groups;
  return place.value_or(CgroupPlace());
}

bool Finds(const std::string& mountinfo, const std::string& groups) {
  return LocateCgroup(ParseCgroupMounts(mountinfo),
                      ParseCgroupMembership(groups), "")
      .has_value();
}

TEST(CgroupPathsTest, WalksV2UpToTheRoot) {
  const CgroupPlace place = Locate(kV2, "0::/system.slice/x.service\n");
  EXPECT_EQ(place.version, CgroupVersion::kV2);
  EXPECT_EQ(place.name, "/system.slice/x.service");
  EXPECT_EQ(place.chain,
            (std::vector<std::string>{
                "/root/sys/fs/cgroup/system.slice/x.service",
                "/root/sys/fs/cgroup/system.slice", "/root/sys/fs/cgroup"}));
  EXPECT_EQ(place.pressure_directory, place.chain.front());
  EXPECT_EQ(Locate(kV2, "0::/\n").chain,
            std::vector<std::string>{"/root/sys/fs/cgroup"});
}

TEST(CgroupPathsTest, WalksTheMemoryHierarchyOfV1) {
  const CgroupPlace place =
      Locate(kV1, "9:name=systemd:/a\n4:memory:/pod/box\n1:cpu,cpuacct:/c\n");
  EXPECT_EQ(place.version, CgroupVersion::kV1);
  EXPECT_EQ(place.chain,
            (std::vector<std::string>{"/root/sys/fs/cgroup/memory/pod/box",
                                      "/root/sys/fs/cgroup/memory/pod",
                                      "/root/sys/fs/cgroup/memory"}));
  EXPECT_EQ(place.pressure_directory, "") << "v1 has none";
}

TEST(CgroupPathsTest, TakesAccountsFromV1AndPressureFromV2WhereBothAre) {
  const std::string hybrid = std::string(kV1) + kUnified;
  const CgroupPlace place = Locate(hybrid, "4:memory:/box\n0::/box\n");
  EXPECT_EQ(place.version, CgroupVersion::kV1);
  EXPECT_EQ(place.name, "/box");
  EXPECT_EQ(place.chain.front(), "/root/sys/fs/cgroup/memory/box");
  EXPECT_EQ(place.pressure_directory, "/root/sys/fs/cgroup/unified/box");
  EXPECT_EQ(Locate(hybrid, "4:memory:/box\n0::/\n").pressure_directory, "")
      << "the host's";
}

TEST(CgroupPathsTest, SeesOnlyWhatIsMounted) {
  constexpr char kPart[] =
      "30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
  EXPECT_EQ(Locate(kPart, "0::/docker/abc/inner\n").chain,
            (std::vector<std::string>{"/root/sys/fs/cgroup/inner",
                                      "/root/sys/fs/cgroup"}));
  EXPECT_EQ(Locate(kPart, "0::/docker/abc\n").chain.size(), 1U);
  EXPECT_FALSE(Finds(kPart, "0::/docker/abcdef\n"));
  EXPECT_FALSE(Finds(kPart, "0::/\n"));
}

TEST(CgroupPathsTest, RefusesPathsThatClimbOut) {
  for (const char* groups :
       {"0::/../other\n", "0::/a/../../etc\n", "0::..\n", "0::relative\n",
        "0::\n", "", "0\n", "::\n", "4:memory:/box\n"}) {
    EXPECT_FALSE(Finds(kV2, groups)) << groups;
  }
  EXPECT_FALSE(Finds("", "0::/a\n"));
  EXPECT_TRUE(Finds(kV2, "0::/a/..b/c..\n"));
}

TEST(CgroupPathsTest, EndsAChainThatIsTooDeep) {
  std::string path = "0::";
  for (int i = 0; i < 1000; ++i) path += "/a";
  EXPECT_EQ(Locate(kV2, path).chain.size(), 64U);
}

TEST(CgroupPathsTest, ReadsMountPointsWithBlanks) {
  const CgroupMounts mounts = ParseCgroupMounts(
      "30 23 0:26 /a\\040b /mnt/c\\134d\\9 rw - cgroup2 cgroup rw");
  ASSERT_TRUE(mounts.v2);
  EXPECT_EQ(mounts.v2->root, "/a b");
  EXPECT_EQ(mounts.v2->mount_point, "/mnt/c\\d\\9");
}

TEST(CgroupPathsTest, TakesTheFirstOfSeveralMounts) {
  const CgroupMounts mounts = ParseCgroupMounts(
      std::string(kV2) + "50 1 0:26 /x /elsewhere rw - cgroup2 cgroup rw\n" +
      "junk\n\n- - -\n");
  EXPECT_EQ(mounts.v2->mount_point, "/sys/fs/cgroup");
}

}  // namespace
}  // namespace heapledger::collector
