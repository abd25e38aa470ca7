// SPDX-License-Identifier: Apache-2.0
// Names kept on disk: the same from there as from the files, and no others
// once better files have come.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "symbolizer/symbolizer.h"
#include "test_support.h"

namespace heapledger::symbolizer {
namespace {

class CacheTest : public testing::Test {
 protected:
  Options WithCache(std::vector<std::string> debug_directories = {}) const {
    Options options;
    options.debug_directories = std::move(debug_directories);
    options.cache_directory = directory_.path() + "/cache";
    return options;
  }

  static std::vector<Pc> PcsOf(const FixtureRun& run) {
    std::vector<Pc> pcs;
    for (const auto& [name, address] : run.markers) {
      pcs.push_back({address, PcKind::kReturnAddress});
      pcs.push_back({address, PcKind::kExact});
    }
    return pcs;
  }

  const TempDirectory directory_;
};

TEST_F(CacheTest, NamesAreTheSameFromDisk) {
  const FixtureRun run = RunFixture("cxx_pie_dwarf5");
  const std::vector<Pc> pcs = PcsOf(run);
  Symbolizer cold(WithCache());
  const auto expected = cold.ResolveAll(run.module, pcs);
  Symbolizer warm(WithCache());
  EXPECT_EQ(warm.ResolveAll(run.module, pcs), expected);
  EXPECT_EQ(warm.stats().modules[0].debug_file, run.module.path);
  EXPECT_EQ(warm.stats().resolved_share(), 1.0);
}

TEST_F(CacheTest, IsWhereWarmNamesComeFrom) {
  FixtureRun run = RunFixture("cxx_pie_dwarf5");
  const TempDirectory copy;
  const std::string path = copy.path() + "/program";
  std::filesystem::copy(run.module.path, path);
  run.module.path = path;
  const std::vector<Pc> pcs = PcsOf(run);
  const auto expected = Symbolizer(WithCache()).ResolveAll(run.module, pcs);
  // The same size and time, and no more DWARF.
  const auto time = std::filesystem::last_write_time(path);
  std::string bytes = ReadFile(path);
  for (std::size_t from = 0;
       (from = bytes.find(".debug_info", from)) != std::string::npos;) {
    bytes[from + 1] = 'x';
  }
  WriteFile(path, bytes);
  std::filesystem::last_write_time(path, time);
  EXPECT_EQ(Symbolizer(WithCache()).ResolveAll(run.module, pcs), expected);
  // Once the time differs it is another file.
  std::filesystem::last_write_time(path, time + std::chrono::seconds(1));
  EXPECT_NE(Symbolizer(WithCache()).ResolveAll(run.module, pcs), expected);
}

TEST_F(CacheTest, DebugInformationThatIsInstalledLaterIsSeen) {
  FixtureRun run = RunFixture("stripped_build_id");
  run.module.build_id = "0123456789abcdef0123456789abcdef01234567";
  const Pc pc{run.markers.at("inlined")};
  EXPECT_EQ(Symbolizer(WithCache()).Resolve(run.module, pc)[0].quality,
            Quality::kModuleOnly);
  Symbolizer later(WithCache({FixturePath("debug")}));
  EXPECT_EQ(later.Resolve(run.module, pc).size(), 3u);
}

TEST_F(CacheTest, ReportsProgress) {
  const FixtureRun run = RunFixture("cxx_pie_dwarf5");
  const std::vector<Pc> pcs = PcsOf(run);
  std::vector<std::size_t> seen;
  Symbolizer symbolizer(WithCache());
  symbolizer.ResolveAll(run.module, pcs,
                        [&](std::size_t done) { seen.push_back(done); });
  ASSERT_GE(seen.size(), 2u);
  EXPECT_EQ(seen.front(), 0u);
  EXPECT_EQ(seen.back(), pcs.size());
}

}  // namespace
}  // namespace heapledger::symbolizer
