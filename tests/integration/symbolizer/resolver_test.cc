// SPDX-License-Identifier: Apache-2.0
// Frames of a ledger to names: each by the module recorded with it.
#include "collector/profile/resolver.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "test_support.h"

namespace heapledger::collector {
namespace {

using symbolizer::FixturePath;
using symbolizer::FixtureRun;
using symbolizer::LineOf;
using symbolizer::RunFixture;
using symbolizer::TempDirectory;

// A process that has ended, with these modules and frames.
LedgerSnapshot Snapshot(std::vector<ModuleInfo> modules,
                        std::vector<FrameInfo> frames) {
  auto tables = std::make_shared<SnapshotTables>();
  tables->modules = std::move(modules);
  tables->frames = std::move(frames);
  LedgerSnapshot snapshot;
  snapshot.lineage = 1;
  snapshot.state = ProcessState::kExited;
  snapshot.identity.pid = 42;
  snapshot.tables = std::move(tables);
  return snapshot;
}

ModuleInfo ModuleAt(const std::string& path, std::uint64_t bias) {
  ModuleInfo module;
  module.path = path;
  module.load_bias = bias;
  module.start = bias;
  module.end = bias + 0x100000;
  return module;
}

TEST(ResolverTest, GoesByTheModuleRecordedWithTheFrame) {
  constexpr std::uint64_t kBias = 0x7f0000000000;
  const FixtureRun cxx = RunFixture("cxx_pie_dwarf5");
  const FixtureRun c = RunFixture("c_pie_dwarf5");
  const std::uint64_t in_cxx =
      kBias + cxx.markers.at("static") - cxx.module.load_bias;
  const std::uint64_t in_c =
      kBias + c.markers.at("c_static") - c.module.load_bias;
  // Unloaded and loaded at the same place, one after the other; the first
  // frame's address is asked for in both.
  const LedgerSnapshot snapshot = Snapshot(
      {ModuleAt(cxx.module.path, kBias), ModuleAt(c.module.path, kBias)},
      {{in_cxx, 0}, {in_c, 1}, {in_c, kNoModule}});
  const auto resolver = MakeResolver();
  const ResolvedPc& first = resolver->Resolve(snapshot, 0);
  EXPECT_EQ(first.back().function, "shapes::FileStatic(int)");
  EXPECT_EQ(first.back().module, "cxx_pie_dwarf5");
  EXPECT_EQ(first.back().line, LineOf("shapes.cc", "static"));
  const ResolvedPc& second = resolver->Resolve(snapshot, 1);
  EXPECT_EQ(second.back().function, "StaticInC");
  EXPECT_EQ(second.back().module, "c_pie_dwarf5");
  EXPECT_EQ(resolver->Resolve(snapshot, 2).back().function, "");

  const NameStats stats = resolver->stats();
  EXPECT_EQ(stats.counts.lookups, 3u);
  EXPECT_EQ(stats.counts.with_lines, 2u);
  EXPECT_NEAR(stats.counts.named_share(), 2.0 / 3, 1e-9);
  ASSERT_EQ(stats.modules.size(), 2u);
  EXPECT_EQ(stats.modules[0].path, cxx.module.path);
  EXPECT_EQ(stats.modules[0].reason, "debug information found");
  EXPECT_EQ(stats.modules[0].debug_file, cxx.module.path);
}

TEST(ResolverTest, LooksBelowTheSysrootAndSaysWhatItCouldNot) {
  const FixtureRun run = RunFixture("cxx_pie_dwarf5");
  const TempDirectory root;
  std::filesystem::create_directory(root.path() + "/app");
  std::filesystem::copy(run.module.path, root.path() + "/app/program");
  const LedgerSnapshot snapshot = Snapshot(
      {ModuleAt("/app/program", 0), ModuleAt("/app/gone", 0)},
      {{run.markers.at("static") - run.module.load_bias, 0}, {0x1000, 1}});
  ResolverOptions options;
  options.sysroot = root.path();
  std::vector<std::pair<std::uint64_t, std::uint64_t>> progress;
  options.progress = [&](std::uint64_t done, std::uint64_t total) {
    progress.emplace_back(done, total);
  };
  const auto resolver = MakeResolver(options);
  EXPECT_EQ(resolver->Resolve(snapshot, 0).back().function,
            "shapes::FileStatic(int)");
  const NameStats stats = resolver->stats();
  ASSERT_EQ(stats.modules.size(), 2u);
  EXPECT_EQ(stats.modules[1].reason, "file not found");
  EXPECT_NE(stats.modules[1].detail, "");
  EXPECT_EQ(stats.modules[1].counts.named(), 0u);
  ASSERT_FALSE(progress.empty());
  EXPECT_EQ(progress.front(), std::pair(std::uint64_t{0}, std::uint64_t{2}));
  EXPECT_EQ(progress.back(), std::pair(std::uint64_t{2}, std::uint64_t{2}));
  for (std::size_t i = 1; i < progress.size(); ++i) {
    EXPECT_GE(progress[i].first, progress[i - 1].first);
  }
}

TEST(ResolverTest, SearchesTheDebugPathsAndKeepsNames) {
  const FixtureRun run = RunFixture("stripped_build_id");
  const TempDirectory cache;
  ModuleInfo module = ModuleAt(run.module.path, run.module.load_bias);
  module.build_id =
      "\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23"
      "\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67";
  const LedgerSnapshot snapshot =
      Snapshot({module}, {{run.markers.at("static"), 0}});
  ResolverOptions options;
  options.debug_paths = {FixturePath("debug")};
  options.cache_directory = cache.path() + "/names";
  for (int round = 0; round < 2; ++round) {
    const auto resolver = MakeResolver(options);
    EXPECT_EQ(resolver->Resolve(snapshot, 0).back().function,
              "shapes::FileStatic(int)");
    EXPECT_EQ(resolver->stats().modules[0].reason, "debug information found");
  }
  EXPECT_FALSE(std::filesystem::is_empty(options.cache_directory));
}

TEST(ResolverTest, KeepsNamesWhereTheEnvironmentSays) {
  setenv("XDG_CACHE_HOME", "/var/cache/me", 1);
  EXPECT_EQ(DefaultCacheDirectory(), "/var/cache/me/heapledger");
  setenv("XDG_CACHE_HOME", "relative", 1);
  setenv("HOME", "/home/me", 1);
  EXPECT_EQ(DefaultCacheDirectory(), "/home/me/.cache/heapledger");
  unsetenv("HOME");
  EXPECT_EQ(DefaultCacheDirectory(), "");
}

}  // namespace
}  // namespace heapledger::collector
