// SPDX-License-Identifier: Apache-2.0
#include "preload/runtime/cpython_version.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <map>
#include <string>

#include "preload/runtime/cpython_layout.h"

namespace heapledger::preload {
namespace {

using Symbols = std::map<std::string, std::uint64_t>;

CpythonVersion VersionOf(const Symbols& symbols, std::uint64_t py_version = 0) {
  return FindCpythonVersion(
      [&symbols](const char* name) {
        const auto found = symbols.find(name);
        return found == symbols.end() ? 0 : found->second;
      },
      [py_version](std::uint64_t) { return py_version; });
}

TEST(CpythonVersionTest, IsNoneWhereThereIsNoRuntime) {
  EXPECT_EQ(VersionOf({{"main", 1}, {"Py_Version", 2}}, 0x030b02f0).hex, 0U);
  // 3.7 has a runtime, and none of what tells later versions.
  EXPECT_EQ(VersionOf({{"_PyRuntime", 1}}).hex, 0U);
}

TEST(CpythonVersionTest, IsReadWhereItStands) {
  const auto version =
      VersionOf({{"_PyRuntime", 1}, {"Py_Version", 2}}, 0x030b02f0);
  EXPECT_EQ(version.hex, 0x030b02f0U);
  EXPECT_FALSE(version.free_threaded);
}

TEST(CpythonVersionTest, FollowsFromWhatOlderOnesExport) {
  Symbols symbols = {{"_PyRuntime", 1}, {"PyCode_NewWithPosOnlyArgs", 2}};
  EXPECT_EQ(VersionOf(symbols).hex, 0x03080000U);
  symbols["PyThreadState_GetInterpreter"] = 3;
  EXPECT_EQ(VersionOf(symbols).hex, 0x03090000U);
  symbols["PyIter_Send"] = 4;
  EXPECT_EQ(VersionOf(symbols).hex, 0x030a0000U);
}

TEST(CpythonVersionTest, KnowsBuildsWithoutALock) {
  EXPECT_TRUE(VersionOf({{"_PyRuntime", 1},
                         {"Py_Version", 2},
                         {"_Py_MergeZeroLocalRefcount", 3}},
                        0x030d00f0)
                  .free_threaded);
}

TEST(CpythonLayoutTest, HasARowForEachVersionFrom38To313) {
  for (std::uint32_t minor = 8; minor <= 13; ++minor) {
    const std::uint32_t version = 0x03000000 | minor << 16;
    ASSERT_NE(FindCpythonLayout(version | 0x02f0), nullptr) << minor;
    EXPECT_EQ(FindCpythonLayout(version)->version, version >> 16);
  }
  EXPECT_EQ(FindCpythonLayout(0x030700f0), nullptr);
  EXPECT_EQ(FindCpythonLayout(0x030e00f0), nullptr);
  EXPECT_EQ(FindCpythonLayout(0x040b00f0), nullptr);
}

TEST(CpythonLayoutTest, DisagreesWithAnInterpreterThatSaysOtherwise) {
  const CpythonLayout& layout = *FindCpythonLayout(0x030d00f0);
  CpythonDebugOffsets said{};
  said.thread_state.current_frame = 72;
  said.frame = {88, 8, 0, 56, 72, 70};
  said.code = {208, 112, 120, 128, 136, 68, 52, 96, 104, 200};
  EXPECT_TRUE(said.Agrees(layout));
  said.frame.owner = 71;
  EXPECT_FALSE(said.Agrees(layout));
}

// As _PyRuntime of 3.13.0 holds them.
TEST(CpythonLayoutTest, PlacesTheOffsetsWhereTheInterpreterHasThem) {
  EXPECT_EQ(offsetof(CpythonDebugOffsets, thread_state), 152U);
  EXPECT_EQ(offsetof(CpythonDebugOffsets, frame), 224U);
  EXPECT_EQ(offsetof(CpythonDebugOffsets, code), 272U);
}

}  // namespace
}  // namespace heapledger::preload
