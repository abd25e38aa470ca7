// SPDX-License-Identifier: Apache-2.0
#include "collector/response/cgroup_control.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "tests/support/fake_files.h"

namespace heapledger::collector::response {
namespace {

std::string Text(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class CgroupControlTest : public ::testing::Test {
 protected:
  void SetUp() override { UseV2(); }

  void UseV2() {
    files_.Write("proc/self/mountinfo",
                 "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    files_.Write("proc/self/cgroup", "0::/collector\n");
    membership_ = "0::/db\n";
    group_ = "sys/fs/cgroup/db/";
    files_.Write(group_ + "memory.current", "800000000\n");
    files_.Write(group_ + "memory.max", "1000000000\n");
    files_.Write(group_ + "memory.high", "max\n");
    files_.Write(group_ + "memory.reclaim", "");
  }
  void UseV1() {
    files_.Write("proc/self/mountinfo",
                 "30 1 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup "
                 "rw,memory\n");
    files_.Write("proc/self/cgroup", "4:memory:/collector\n");
    membership_ = "4:memory:/db\n";
    group_ = "sys/fs/cgroup/memory/db/";
    files_.Write(group_ + "memory.usage_in_bytes", "800000000\n");
    files_.Write(group_ + "memory.limit_in_bytes", "1000000000\n");
    files_.Write(group_ + "memory.soft_limit_in_bytes",
                 "9223372036854771712\n");
    files_.Write(group_ + "memory.force_empty", "");
  }
  absl::StatusOr<CgroupControl> Open() {
    return CgroupControl::Of(membership_, files_.root());
  }
  std::string Now(const std::string& name) {
    return Text(files_.root() + "/" + group_ + name);
  }

  heapledger::testing::FakeFiles files_;
  std::string membership_;
  std::string group_;
};

TEST_F(CgroupControlTest, SetsAndRestoresTheHighLimit) {
  const auto group = Open();
  ASSERT_TRUE(group.ok()) << group.status();
  const auto token = group->SetHigh({.at = {0.9, 0}, .soft_limit = false});
  ASSERT_TRUE(token.ok()) << token.status();
  // The file is ours, not the kernel's: only the front is written.
  EXPECT_EQ(Now("memory.high").substr(0, 9), "900000000");
  ASSERT_TRUE(CgroupControl::RestoreHigh(*token).ok());
  EXPECT_EQ(Now("memory.high").substr(0, 3), "max");
}

TEST_F(CgroupControlTest, WhatSomebodyElseHasSetSinceStays) {
  const auto token = Open()->SetHigh({.at = {0.9, 0}, .soft_limit = false});
  ASSERT_TRUE(token.ok());
  files_.Write(group_ + "memory.high", "123456789\n");
  ASSERT_TRUE(CgroupControl::RestoreHigh(*token).ok());
  EXPECT_EQ(Now("memory.high"), "123456789\n");
  files_.Remove(group_);
  EXPECT_TRUE(CgroupControl::RestoreHigh(*token).ok());
}

TEST_F(CgroupControlTest, RefusesWhatWouldHitOthers) {
  membership_ = "0::/\n";
  EXPECT_NE(Open().status().message().find("root cgroup"), std::string::npos);
  membership_ = "0::/collector\n";
  EXPECT_NE(Open().status().message().find("same cgroup as the collector"),
            std::string::npos);
}

TEST_F(CgroupControlTest, RefusesWhatWouldStopTheGroup) {
  EXPECT_TRUE(absl::IsFailedPrecondition(
      Open()->SetHigh({.at = {0, 1000}, .soft_limit = false}).status()));
  files_.Write(group_ + "memory.max", "max\n");
  EXPECT_TRUE(absl::IsFailedPrecondition(
      Open()->SetHigh({.at = {0.9, 0}, .soft_limit = false}).status()));
}

TEST_F(CgroupControlTest, ReclaimsAShare) {
  const auto asked =
      Open()->Reclaim({.amount = {0.1, 0}, .force_empty = false});
  ASSERT_TRUE(asked.ok()) << asked.status();
  EXPECT_EQ(**asked, 80'000'000U);
  EXPECT_EQ(Now("memory.reclaim"), "80000000");
  files_.Remove(group_ + "memory.reclaim");
  EXPECT_TRUE(absl::IsUnimplemented(
      Open()->Reclaim({.amount = {0.1, 0}, .force_empty = false}).status()));
}

TEST_F(CgroupControlTest, VersionOneOnlyWhereItIsAllowed) {
  UseV1();
  const auto group = Open();
  ASSERT_TRUE(group.ok()) << group.status();
  EXPECT_TRUE(absl::IsUnimplemented(group->SetHigh({}).status()));
  EXPECT_TRUE(absl::IsUnimplemented(group->Reclaim({}).status()));
  EXPECT_EQ(Now("memory.force_empty"), "");
  const auto token = group->SetHigh({.at = {0.5, 0}, .soft_limit = true});
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(Now("memory.soft_limit_in_bytes").substr(0, 9), "500000000");
  ASSERT_TRUE(group->Reclaim({.amount = {}, .force_empty = true}).ok());
  EXPECT_EQ(Now("memory.force_empty"), "0");
}

}  // namespace
}  // namespace heapledger::collector::response
