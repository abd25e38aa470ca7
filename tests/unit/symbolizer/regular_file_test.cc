// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/regular_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace heapledger::symbolizer {
namespace {

class RegularFileTest : public testing::Test {
 protected:
  RegularFileTest() {
    std::string name = testing::TempDir() + "regular_file_XXXXXX";
    directory_ = mkdtemp(name.data());
  }
  ~RegularFileTest() override { std::filesystem::remove_all(directory_); }

  std::string Write(const std::string& name, const std::string& text) {
    const std::string path = directory_ + "/" + name;
    std::filesystem::create_directories(
        std::filesystem::path(path).parent_path());
    std::ofstream(path) << text;
    return path;
  }

  std::string directory_;
};

TEST_F(RegularFileTest, ReadsNoMoreThanItIsAskedFor) {
  const auto file = RegularFile::Open("", Write("a", "0123456789"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->size(), 10u);
  EXPECT_EQ(file->Read(4).value(), "0123");
  EXPECT_EQ(file->Read(400).value(), "0123456789");
}

TEST_F(RegularFileTest, ComputesTheCrcOfADebugLink) {
  const auto file = RegularFile::Open("", Write("a", "123456789"));
  EXPECT_EQ(file->Crc32().value(), 0xcbf43926u);
}

TEST_F(RegularFileTest, RefusesPipesWithoutWaiting) {
  const std::string path = directory_ + "/pipe";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_FALSE(RegularFile::Open("", path).ok());
}

TEST_F(RegularFileTest, RefusesDirectoriesDevicesAndRelativePaths) {
  EXPECT_FALSE(RegularFile::Open("", directory_).ok());
  EXPECT_FALSE(RegularFile::Open("", "/dev/zero").ok());
  EXPECT_FALSE(RegularFile::Open("", "relative").ok());
  EXPECT_FALSE(RegularFile::Open("", "").ok());
  EXPECT_FALSE(RegularFile::Open("", std::string("/etc/passwd\0x", 13)).ok());
}

TEST_F(RegularFileTest, OpensPathsBelowARoot) {
  Write("usr/lib/a", "inside");
  const auto file = RegularFile::Open(directory_, "/usr/lib/a");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->Read(100).value(), "inside");
}

TEST_F(RegularFileTest, KeepsLinksBelowTheRoot) {
  Write("etc/passwd", "the target's own");
  std::filesystem::create_symlink("/etc/passwd", directory_ + "/absolute");
  std::filesystem::create_symlink("../../../../../../etc/passwd",
                                  directory_ + "/relative");
  for (const char* path : {"/absolute", "/relative", "/../../etc/passwd"}) {
    const auto file = RegularFile::Open(directory_, path);
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(file->Read(100).value(), "the target's own") << path;
  }
}

}  // namespace
}  // namespace heapledger::symbolizer
