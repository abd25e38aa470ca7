// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/debug_paths.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace heapledger::symbolizer {
namespace {

TEST(DebugPathsTest, SplitsABuildIdAfterItsFirstByte) {
  EXPECT_EQ(BuildIdDebugPath("/usr/lib/debug", "12abcdef"),
            "/usr/lib/debug/.build-id/12/abcdef.debug");
}

TEST(DebugPathsTest, RefusesWhatIsNoBuildId) {
  EXPECT_EQ(BuildIdDebugPath("/d", ""), "");
  EXPECT_EQ(BuildIdDebugPath("/d", "12"), "");
  EXPECT_EQ(BuildIdDebugPath("/d", "12abc"), "");
  EXPECT_EQ(BuildIdDebugPath("/d", "12ABCD"), "");
  EXPECT_EQ(BuildIdDebugPath("/d", "../../etc/passwd"), "");
}

TEST(DebugPathsTest, ListsTheCandidatesOfADebugLinkInGdbsOrder) {
  const std::vector<std::string> expected = {
      "/usr/bin/ls.debug", "/usr/bin/.debug/ls.debug",
      "/usr/lib/debug/usr/bin/ls.debug", "/opt/debug/usr/bin/ls.debug"};
  EXPECT_EQ(DebugLinkPaths("/usr/bin/ls", "ls.debug",
                           {"/usr/lib/debug", "/opt/debug"}),
            expected);
}

TEST(DebugPathsTest, NeverFollowsADebugLinkOutOfItsDirectory) {
  EXPECT_TRUE(DebugLinkPaths("/usr/bin/ls", "../../tmp/x", {"/d"}).empty());
  EXPECT_TRUE(DebugLinkPaths("/usr/bin/ls", "..", {"/d"}).empty());
  EXPECT_TRUE(DebugLinkPaths("/usr/bin/ls", "", {"/d"}).empty());
  EXPECT_TRUE(DebugLinkPaths("ls", "ls.debug", {"/d"}).empty());
}

TEST(DebugPathsTest, SkipsADebugLinkToTheModuleItself) {
  const std::vector<std::string> expected = {"/bin/.debug/ls", "/d/bin/ls"};
  EXPECT_EQ(DebugLinkPaths("/bin/ls", "ls", {"/d"}), expected);
}

TEST(DebugPathsTest, ReadsAnAltLinkFromTheDebugFilesDirectory) {
  EXPECT_EQ(AltLinkPath("/usr/lib/debug/x.debug", "../.dwz/y"),
            "/usr/lib/debug/../.dwz/y");
  EXPECT_EQ(AltLinkPath("/usr/lib/debug/x.debug", "/dwz/y"), "/dwz/y");
  EXPECT_EQ(AltLinkPath("/usr/lib/debug/x.debug", ""), "");
}

TEST(DebugPathsTest, KnowsTheKernelsMarkOfDeletedFiles) {
  EXPECT_TRUE(IsDeletedPath("/bin/ls (deleted)"));
  EXPECT_FALSE(IsDeletedPath("/bin/ls"));
  EXPECT_EQ(StripDeleted("/bin/ls (deleted)"), "/bin/ls");
  EXPECT_EQ(StripDeleted("/bin/ls"), "/bin/ls");
}

TEST(DebugPathsTest, WritesBytesAsLowerCaseHex) {
  const unsigned char bytes[] = {0x00, 0x9f, 0xff};
  EXPECT_EQ(ToHex(bytes, sizeof bytes), "009fff");
  EXPECT_EQ(ToHex(bytes, 0), "");
}

TEST(DebugPathsTest, TakesTheLastComponentAsBasename) {
  EXPECT_EQ(Basename("/usr/lib/libfoo.so"), "libfoo.so");
  EXPECT_EQ(Basename("libfoo.so"), "libfoo.so");
}

}  // namespace
}  // namespace heapledger::symbolizer
