// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/doctor_surroundings.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temp_directory.h"

namespace heapledger::collector::cli {
namespace {

class DoctorSurroundingsTest : public ::testing::Test {
 protected:
  DoctorSurroundingsTest() {
    surroundings_.proc_root = temp_.Path("proc");
    surroundings_.preload_file = temp_.Path("ld.so.preload");
  }

  void Write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(
        std::filesystem::path(path).parent_path());
    std::ofstream(path) << text;
  }

  testing::TempDirectory temp_;
  Surroundings surroundings_;
  Checks checks_;
};

TEST_F(DoctorSurroundingsTest, SaysNothingWhereThereIsNothing) {
  CheckPreloads(surroundings_, checks_);
  CheckSeccomp(surroundings_, checks_);
  CheckPtrace(surroundings_, checks_);
  EXPECT_TRUE(checks_.empty());
}

TEST_F(DoctorSurroundingsTest, NamesPreloadsOfTheVariableAndOfTheFile) {
  surroundings_.preload_variable = "/nowhere/liba.so /opt/libheapledger.so";
  Write(surroundings_.preload_file, "libb.so\n");
  CheckPreloads(surroundings_, checks_);
  ASSERT_EQ(checks_.size(), 3U);
  EXPECT_NE(checks_[0].text.find("/nowhere/liba.so, which cannot be loaded"),
            std::string::npos);
  EXPECT_EQ(checks_[0].remedy, "take it out of LD_PRELOAD");
  EXPECT_EQ(checks_[1].verdict, Verdict::kGood);
  EXPECT_NE(checks_[2].text.find("preloads libb.so into every program"),
            std::string::npos);
}

TEST_F(DoctorSurroundingsTest, TellsWhoseFilterIsInForce) {
  const std::string status = surroundings_.proc_root + "/self/status";
  Write(status, "Name:\tx\nSeccomp:\t0\nSeccomp_filters:\t0\n");
  CheckSeccomp(surroundings_, checks_);
  EXPECT_TRUE(checks_.empty());
  Write(status, "Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n");
  CheckSeccomp(surroundings_, checks_);
  ASSERT_EQ(checks_.size(), 1U);
  EXPECT_EQ(checks_[0].verdict, Verdict::kNote);
}

TEST_F(DoctorSurroundingsTest, TellsWhoMayAttach) {
  const std::string scope =
      surroundings_.proc_root + "/sys/kernel/yama/ptrace_scope";
  Write(scope, "0\n");
  CheckPtrace(surroundings_, checks_);
  EXPECT_TRUE(checks_.empty());
  Write(scope, "1\n");
  CheckPtrace(surroundings_, checks_);
  ASSERT_EQ(checks_.size(), 1U);
  EXPECT_NE(checks_[0].text.find("it is 1"), std::string::npos);
  EXPECT_NE(checks_[0].remedy.find("ptrace_scope=0"), std::string::npos);
}

}  // namespace
}  // namespace heapledger::collector::cli
