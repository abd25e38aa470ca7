// SPDX-License-Identifier: Apache-2.0
#include "collector/shm/discovery.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "collector/shm/host_ledgers.h"
#include "tests/support/ledger_builder.h"
#include "tests/support/temp_directory.h"

namespace heapledger::collector {
namespace {

using testing::LedgerBuilder;
using testing::TempDirectory;

void Write(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(
      std::filesystem::path(path).parent_path());
  std::ofstream(path) << text;
}

TEST(ParseLedgerNameTest, TakesTheThreeFormsApart) {
  const auto current = ParseLedgerName("12-345.ledger");
  ASSERT_TRUE(current);
  EXPECT_EQ(current->pid, 12U);
  EXPECT_EQ(current->start_time_ticks, 345U);
  EXPECT_FALSE(current->replaced_image);
  EXPECT_EQ(ParseLedgerName("12-345.7.ledger")->replaced_image, 7U);
  EXPECT_EQ(ParseLedgerName("12-345.off")->kind, LedgerName::Kind::kOffMarker);
}

TEST(ParseLedgerNameTest, RefusesEverythingElse) {
  for (const char* name :
       {"", "12", "12-", "-1.ledger", "12-345", "12-345.", "12-345.ledger2",
        "012-345.ledger", "12-+5.ledger", "12-345.7.off", "12-345..ledger",
        "99999999999-1.ledger", "12-345.x.ledger", "a-b.ledger"}) {
    EXPECT_FALSE(ParseLedgerName(name)) << name;
  }
}

class DiscoveryTest : public ::testing::Test {
 protected:
  DiscoveryTest() {
    options_.uid = geteuid();
    options_.parents = {temp_.Path("shm"), temp_.Path("var")};
    options_.proc_root = temp_.Path("proc");
    Write(temp_.Path("proc/sys/kernel/random/boot_id"),
          "11111111-2222-3333-4444-555555555555\n");
    for (const std::string& parent : options_.parents) {
      std::filesystem::create_directories(parent);
    }
    own_ = options_.parents[0] + "/heapledger-" + std::to_string(geteuid());
    std::filesystem::create_directory(own_);
    chmod(own_.c_str(), 0700);
  }

  void AddProcess(std::uint32_t pid, std::uint64_t start,
                  const std::string& maps = "") {
    const std::string path = options_.proc_root + "/" + std::to_string(pid);
    std::string stat = std::to_string(pid) + " (a (b) c) S";
    for (int field = 4; field < 22; ++field) stat += " 1";
    Write(path + "/stat", stat + " " + std::to_string(start) + " 0\n");
    Write(path + "/maps", maps);
  }

  void AddLedger(const std::string& directory, std::uint32_t pid,
                 std::uint64_t start) {
    LedgerBuilder builder(1 << 20);
    builder.header().pid = pid;
    builder.header().start_time_ticks = start;
    builder.WriteTo(directory + "/" + std::to_string(pid) + "-" +
                    std::to_string(start) + ".ledger");
  }

  TempDirectory temp_;
  DiscoveryOptions options_;
  std::string own_;
};

TEST_F(DiscoveryTest, ListsBothParentsAndTheDirectoriesOfRuns) {
  const std::string other =
      options_.parents[1] + "/heapledger-" + std::to_string(geteuid());
  std::filesystem::create_directories(other + "/run-9-1");
  chmod(other.c_str(), 0700);
  chmod((other + "/run-9-1").c_str(), 0700);
  AddLedger(own_, 20, 1);
  AddLedger(other, 3, 1);
  AddLedger(other + "/run-9-1", 10, 1);
  const Discovered found = DiscoverLedgers(options_);
  EXPECT_TRUE(found.problems.empty());
  ASSERT_EQ(found.ledgers.size(), 3U);
  EXPECT_EQ(found.ledgers[0].name.pid, 3U);
  EXPECT_EQ(found.ledgers[1].path, other + "/run-9-1/10-1.ledger");
  EXPECT_EQ(found.ledgers[2].path, own_ + "/20-1.ledger");
}

TEST_F(DiscoveryTest, ReadsOffMarkersAndIgnoresGarbledOnes) {
  for (const auto& [name, target] : {std::pair{"5-1.off", "3"},
                                     {"6-1.off", "three"},
                                     {"7-1.off", "3x"},
                                     {"8-1.off", "11111111111111111111"}}) {
    ASSERT_EQ(symlink(target, (own_ + "/" + name).c_str()), 0);
  }
  Write(own_ + "/9-1.off", "3");  // no link
  AddProcess(5, 1);
  const Discovered found = DiscoverLedgers(options_);
  ASSERT_EQ(found.off_markers.size(), 1U);
  EXPECT_EQ(found.off_markers[0].off_reason, 3U);
  const auto unmeasured =
      FindUnmeasured(options_, found, UnmeasuredScan::kMarkersOnly);
  ASSERT_EQ(unmeasured.size(), 1U);
  EXPECT_TRUE(unmeasured[0].alive);
  EXPECT_EQ(unmeasured[0].program, "a (b) c");
}

TEST_F(DiscoveryTest, RefusesADirectoryThatOthersMayWriteTo) {
  AddLedger(own_, 1, 1);
  chmod(own_.c_str(), 0770);
  Discovered found = DiscoverLedgers(options_);
  EXPECT_TRUE(found.ledgers.empty());
  ASSERT_EQ(found.problems.size(), 1U);
  EXPECT_NE(found.problems[0].find("others may write to it"),
            std::string::npos);
}

TEST_F(DiscoveryTest, RefusesADirectoryOfAnotherUser) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to give a file away";
  AddLedger(own_, 1, 1);
  ASSERT_EQ(chown(own_.c_str(), 12345, 0), 0);
  EXPECT_TRUE(DiscoverLedgers(options_).ledgers.empty());
}

TEST_F(DiscoveryTest, RefusesALinkInPlaceOfTheDirectory) {
  const std::string real = temp_.Path("real");
  std::filesystem::rename(own_, real);
  AddLedger(real, 1, 1);
  std::filesystem::create_directory_symlink(real, own_);
  const Discovered found = DiscoverLedgers(options_);
  EXPECT_TRUE(found.ledgers.empty());
  EXPECT_EQ(found.problems.size(), 1U);
}

TEST_F(DiscoveryTest, OpensNothingButRegularFilesOfTheOwner) {
  const std::string fifo = own_ + "/1-1.ledger";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const std::string directory = own_ + "/2-1.ledger";
  std::filesystem::create_directory(directory);
  const std::string link = own_ + "/3-1.ledger";
  std::filesystem::create_symlink("/etc/passwd", link);
  for (const std::string& path : {fifo, directory, link}) {
    EXPECT_FALSE(OpenLedgerFile(path, geteuid()).ok()) << path;
  }
  AddLedger(own_, 4, 1);
  const auto good = OpenLedgerFile(own_ + "/4-1.ledger", geteuid());
  ASSERT_TRUE(good.ok());
  close(*good);
  EXPECT_EQ(OpenLedgerFile(own_ + "/4-1.ledger", geteuid() + 1).status().code(),
            absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(OpenLedgerFile(own_ + "/5-1.ledger", geteuid()).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(DiscoveryTest, FindsProcessesThatMapTheShimAndHaveNoLedger) {
  const std::string line =
      "7f00-7f01 r-xp 00000000 08:01 1 /opt/lib/heapledger/libheapledger.so\n";
  AddProcess(30, 5, line);
  AddProcess(31, 5, line);
  AddProcess(32, 5, "7f00-7f01 r-xp 0 08:01 1 /lib/libc.so.6\n");
  AddLedger(own_, 31, 5);
  const auto unmeasured = FindUnmeasured(options_, DiscoverLedgers(options_),
                                         UnmeasuredScan::kMarkersAndMaps);
  ASSERT_EQ(unmeasured.size(), 1U);
  EXPECT_EQ(unmeasured[0].pid, 30U);
  EXPECT_FALSE(unmeasured[0].off_reason);
}

TEST_F(DiscoveryTest, TakesNoOtherProcessForTheOneThatHadThePid) {
  AddLedger(own_, 40, 5);
  AddLedger(own_, 41, 5);
  AddProcess(40, 5);
  AddProcess(41, 6);  // the pid was given to another
  HostLedgers host(options_);
  for (int look = 0; look < 3; ++look) {
    const HostSnapshot snapshot = host.Take();
    ASSERT_EQ(snapshot.ledgers.size(), 2U);
    EXPECT_EQ(snapshot.ledgers[0]->state, ProcessState::kLive);
    EXPECT_EQ(snapshot.ledgers[1]->state, ProcessState::kKilled);
  }
}

TEST_F(DiscoveryTest, GivesOneSentenceForALedgerThatCannotBeRead) {
  AddLedger(own_, 50, 5);
  Write(own_ + "/51-5.ledger", std::string(200'000, 'x'));
  HostLedgers host(options_);
  const HostSnapshot snapshot = host.Take();
  EXPECT_EQ(snapshot.ledgers.size(), 1U);
  ASSERT_EQ(snapshot.problems.size(), 1U);
  EXPECT_NE(snapshot.problems[0].find("wrong magic"), std::string::npos);
}

TEST_F(DiscoveryTest, ReopensALedgerWhoseNameAnotherFileTook) {
  AddLedger(own_, 60, 5);
  HostLedgers host(options_);
  const auto before = host.Take().ledgers.at(0);
  // The new file before the old one goes, so that the inode is another.
  AddLedger(own_, 61, 5);
  std::filesystem::rename(own_ + "/61-5.ledger", own_ + "/60-5.ledger");
  const auto after = host.Take().ledgers.at(0);
  EXPECT_NE(before->lineage, after->lineage);
}

}  // namespace
}  // namespace heapledger::collector
