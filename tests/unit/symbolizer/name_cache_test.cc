// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/name_cache.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/temp_directory.h"

namespace heapledger::symbolizer {
namespace {

namespace fs = std::filesystem;

constexpr char kBuildId[] = "0123456789abcdef";
constexpr std::uint64_t kPlenty = std::uint64_t{1} << 30;

NameTable TableOf(std::uint64_t address, const std::string& function) {
  NameTable table;
  table.identity = "files of today";
  table.reason = 1;
  table.detail = "why";
  table.debug_file = "/usr/lib/debug/x";
  Frame frame;
  frame.function = function;
  frame.linkage_name = "_Z" + function;
  frame.file = "/src/a.cc";
  frame.line = 12;
  frame.column = 3;
  frame.quality = Quality::kDebugInfo;
  Frame inlined = frame;
  inlined.inlined = true;
  table.names[address] = {inlined, frame};
  return table;
}

class NameCacheTest : public ::testing::Test {
 protected:
  std::string Directory() const { return directory_.path() + "/a/cache"; }
  std::vector<fs::path> Files() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(Directory())) {
      files.push_back(entry.path());
    }
    return files;
  }

  const heapledger::testing::TempDirectory directory_;
};

TEST_F(NameCacheTest, GivesBackWhatWasStored) {
  const NameCache cache(Directory(), kPlenty);
  EXPECT_FALSE(cache.Load(kBuildId, "files of today"));
  const NameTable table = TableOf(0x10, "f");
  cache.Store(kBuildId, table);
  const auto loaded = cache.Load(kBuildId, "files of today");
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->names, table.names);
  EXPECT_EQ(loaded->reason, 1);
  EXPECT_EQ(loaded->detail, "why");
  EXPECT_EQ(loaded->debug_file, "/usr/lib/debug/x");
}

TEST_F(NameCacheTest, KnowsNothingOfOtherFiles) {
  const NameCache cache(Directory(), kPlenty);
  cache.Store(kBuildId, TableOf(0x10, "f"));
  EXPECT_FALSE(cache.Load(kBuildId, "files of tomorrow"));
  EXPECT_FALSE(cache.Load("fedcba98", "files of today"));
}

TEST_F(NameCacheTest, JoinsWhatSeveralHaveStored) {
  const NameCache one(Directory(), kPlenty);
  const NameCache other(Directory(), kPlenty);
  one.Store(kBuildId, TableOf(0x10, "f"));
  other.Store(kBuildId, TableOf(0x20, "g"));
  EXPECT_EQ(one.Load(kBuildId, "files of today")->names.size(), 2u);
  EXPECT_EQ(Files().size(), 1u);
}

TEST_F(NameCacheTest, SurvivesManyWriters) {
  std::vector<std::thread> writers;
  for (int i = 0; i < 8; ++i) {
    writers.emplace_back([this, i] {
      const NameCache cache(Directory(), kPlenty);
      for (int round = 0; round < 50; ++round) {
        const auto address = static_cast<std::uint64_t>(100 * i + round);
        cache.Store(kBuildId, TableOf(address, "f"));
        ASSERT_TRUE(cache.Load(kBuildId, "files of today"));
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(Files().size(), 1u);
}

TEST_F(NameCacheTest, TakesADamagedFileForNone) {
  const NameCache cache(Directory(), kPlenty);
  cache.Store(kBuildId, TableOf(0x10, "f"));
  const fs::path path = Files().at(0);
  std::string bytes;
  {
    std::ifstream in(path, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] ^= 0x10;
    std::ofstream(path, std::ios::binary) << damaged;
    EXPECT_FALSE(cache.Load(kBuildId, "files of today")) << at;
    std::ofstream(path, std::ios::binary) << bytes.substr(0, at);
    EXPECT_FALSE(cache.Load(kBuildId, "files of today")) << at;
  }
  // And it can be replaced.
  cache.Store(kBuildId, TableOf(0x10, "f"));
  EXPECT_TRUE(cache.Load(kBuildId, "files of today"));
}

TEST_F(NameCacheTest, RemovesWhatWasNotUsedForLongest) {
  const NameCache cache(Directory(), kPlenty);
  for (const char* id : {"aaaa", "bbbb", "cccc"}) {
    cache.Store(id, TableOf(0x10, "f"));
  }
  const auto size = fs::file_size(Files().at(0));
  const auto now = fs::file_time_type::clock::now();
  for (const fs::path& path : Files()) {
    const bool is_b = path.filename().string().starts_with("bbbb");
    fs::last_write_time(path, now - std::chrono::hours(is_b ? 1 : 2));
  }
  ASSERT_TRUE(cache.Load("aaaa", "files of today"));  // counts as used
  NameCache(Directory(), 3 * size).Store("dddd", TableOf(0x10, "f"));
  EXPECT_EQ(Files().size(), 3u);
  EXPECT_TRUE(cache.Load("aaaa", "files of today"));
  EXPECT_TRUE(cache.Load("bbbb", "files of today"));
  EXPECT_FALSE(cache.Load("cccc", "files of today"));
  EXPECT_TRUE(cache.Load("dddd", "files of today"));
}

TEST_F(NameCacheTest, IsPrivate) {
  const NameCache cache(Directory(), kPlenty);
  cache.Store(kBuildId, TableOf(0x10, "f"));
  struct stat status {};
  ASSERT_EQ(stat(Directory().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  ASSERT_EQ(stat(Files().at(0).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  // Where others may write, they may have written.
  ASSERT_EQ(chmod(Directory().c_str(), 0777), 0);
  EXPECT_FALSE(cache.Load(kBuildId, "files of today"));
}

TEST_F(NameCacheTest, DoesWithoutADirectory) {
  const NameCache cache("/proc/nowhere/cache", kPlenty);
  cache.Store(kBuildId, TableOf(0x10, "f"));
  EXPECT_FALSE(cache.Load(kBuildId, "files of today"));
}

}  // namespace
}  // namespace heapledger::symbolizer
