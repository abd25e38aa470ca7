// SPDX-License-Identifier: Apache-2.0
#include "collector/obituary/store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/temp_directory.h"

namespace heapledger::collector::obituary {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kTime = 1'700'000'000 * kSecond;

LedgerIdentity Who(std::uint32_t pid) {
  LedgerIdentity who;
  who.pid = pid;
  who.start_time_ticks = 1000 + pid;
  who.exe = "/usr/bin/my-server";
  who.boot_id = "1a2b3c4d-0000";
  return who;
}

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() {
    options_.directory = temp_.Path("a/b");
    EXPECT_TRUE(PrepareStore(options_.directory).ok());
  }

  absl::Status Write(std::uint32_t pid, std::uint64_t died_seconds,
                     const std::string& bytes = "obituary") {
    return WriteToStore(options_, Who(pid), kTime + died_seconds * kSecond,
                        bytes)
        .status();
  }
  std::vector<std::uint32_t> Pids() const {
    std::vector<std::uint32_t> pids;
    for (const auto& stored : ListStore(options_.directory)) {
      pids.push_back(stored.pid);
    }
    return pids;
  }
  static mode_t Mode(const std::string& path) {
    struct stat status = {};
    EXPECT_EQ(stat(path.c_str(), &status), 0);
    return status.st_mode & 0777;
  }

  heapledger::testing::TempDirectory temp_;
  StoreOptions options_;
};

TEST_F(StoreTest, GivesBackWhatWasWritten) {
  const auto path = WriteToStore(options_, Who(7), kTime + 5, "bytes");
  ASSERT_TRUE(path.ok()) << path.status();
  EXPECT_EQ(*path, options_.directory + "/my-server-7-1007-0-1a2b3c4d.hl");
  EXPECT_EQ(*path, StorePath(options_.directory, Who(7)));
  std::ifstream file(*path);
  std::string text;
  std::getline(file, text);
  EXPECT_EQ(text, "bytes");
  const auto list = ListStore(options_.directory);
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0].path, *path);
  EXPECT_EQ(list[0].program, "my-server");
  EXPECT_EQ(list[0].died_realtime_ns, kTime + 5);
  EXPECT_EQ(list[0].bytes, 5U);
  EXPECT_TRUE(list[0].Of(Who(7)));
  EXPECT_FALSE(list[0].Of(Who(8)));
  LedgerIdentity other_boot = Who(7);
  other_boot.boot_id = "99999999-0000";
  EXPECT_FALSE(list[0].Of(other_boot));
}

TEST_F(StoreTest, OnlyTheOwnerMayReadIt) {
  const auto path = WriteToStore(options_, Who(7), kTime, "bytes");
  ASSERT_TRUE(path.ok());
  EXPECT_EQ(Mode(*path), 0600U);
  EXPECT_EQ(Mode(options_.directory), 0700U);
}

TEST_F(StoreTest, OverwritesNothing) {
  ASSERT_TRUE(Write(7, 1, "first").ok());
  EXPECT_TRUE(absl::IsAlreadyExists(Write(7, 2, "second")));
  const auto list = ListStore(options_.directory);
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0].bytes, 5U);
  // Nothing half-made is left.
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator(options_.directory)) {
    ++files;
  }
  EXPECT_EQ(files, 1U);
}

TEST_F(StoreTest, KeepsTheNewestDeaths) {
  options_.keep = 3;
  for (const std::uint32_t pid : {4, 1, 5, 3, 2}) {
    ASSERT_TRUE(Write(pid, pid).ok());
  }
  EXPECT_EQ(Pids(), (std::vector<std::uint32_t>{5, 4, 3}));
}

TEST_F(StoreTest, KeepsToItsBytesButForTheNewest) {
  options_.max_bytes = 25;
  for (std::uint32_t pid = 1; pid <= 4; ++pid) {
    ASSERT_TRUE(Write(pid, pid, std::string(10, 'x')).ok());
  }
  EXPECT_EQ(Pids(), (std::vector<std::uint32_t>{4, 3}));
  ASSERT_TRUE(Write(9, 9, std::string(1000, 'x')).ok());
  EXPECT_EQ(Pids(), std::vector<std::uint32_t>{9});
}

TEST_F(StoreTest, SaysWhetherAnotherWouldStay) {
  options_.keep = 2;
  EXPECT_TRUE(WouldStay(options_, {}, kTime));
  ASSERT_TRUE(Write(1, 10).ok());
  ASSERT_TRUE(Write(2, 20).ok());
  const auto stored = ListStore(options_.directory);
  EXPECT_FALSE(WouldStay(options_, stored, kTime + 5 * kSecond));
  EXPECT_TRUE(WouldStay(options_, stored, kTime + 15 * kSecond));
}

TEST_F(StoreTest, LeavesOthersFilesAlone) {
  options_.keep = 1;
  for (const char* name : {"notes.txt", "heap.hl", "a-1.hl", "x-1-2-3-.hl"}) {
    std::ofstream(options_.directory + "/" + name) << "mine";
  }
  ASSERT_TRUE(Write(1, 1).ok());
  ASSERT_TRUE(Write(2, 2).ok());
  EXPECT_EQ(Pids(), std::vector<std::uint32_t>{2});
  for (const char* name : {"notes.txt", "heap.hl", "a-1.hl", "x-1-2-3-.hl"}) {
    EXPECT_TRUE(std::filesystem::exists(options_.directory + "/" + name));
  }
}

TEST_F(StoreTest, AHostileNameStaysInTheDirectory) {
  LedgerIdentity who = Who(7);
  who.exe = "/tmp/..; rm -rf \n*";
  who.boot_id = "../../..";
  const auto path = WriteToStore(options_, who, kTime, "x");
  ASSERT_TRUE(path.ok()) << path.status();
  EXPECT_EQ(std::filesystem::path(*path).parent_path(), options_.directory);
  ASSERT_EQ(ListStore(options_.directory).size(), 1U);
  EXPECT_TRUE(ListStore(options_.directory)[0].Of(who));
}

TEST_F(StoreTest, RemovesWhatASealingThatWasKilledLeft) {
  const std::string fresh = options_.directory + "/.sealing-abcdef";
  std::ofstream(fresh) << "half";
  // What is being written is not touched: its time is that of its last change,
  // whatever time of death it bears.
  std::filesystem::last_write_time(
      fresh, std::filesystem::file_time_type::clock::now() -
                 std::chrono::hours(24 * 365));
  ASSERT_TRUE(PrepareStore(options_.directory).ok());
  EXPECT_TRUE(std::filesystem::exists(fresh));
  EXPECT_TRUE(ListStore(options_.directory).empty());
}

TEST_F(StoreTest, RefusesADirectoryThatOthersMayWriteTo) {
  chmod(options_.directory.c_str(), 0777);
  const absl::Status status = PrepareStore(options_.directory);
  EXPECT_TRUE(absl::IsPermissionDenied(status));
  EXPECT_NE(std::string(status.message()).find("0700"), std::string::npos);
  EXPECT_TRUE(absl::IsPermissionDenied(PrepareStore("/proc/self/status")));
}

}  // namespace
}  // namespace heapledger::collector::obituary
