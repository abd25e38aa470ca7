// SPDX-License-Identifier: Apache-2.0
#include "collector/gate/source_place.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/temp_directory.h"
#include "tests/unit/collector/gate/round_maker.h"

namespace heapledger::collector::gate {
namespace {

using testing::Frame;

GateFacts Root(const std::string& root) {
  GateFacts facts;
  facts.source_root = root;
  return facts;
}

TEST(SourcePlace, NamesFilesBelowTheRootFromThere) {
  const auto place =
      PlaceOf(Frame("f", "/src/app/../app/x.c", 7), Root("/src"));
  ASSERT_TRUE(place.has_value());
  EXPECT_EQ(place->path, "app/x.c");
  EXPECT_TRUE(place->in_root);
  EXPECT_EQ(place->line, 7U);
}

TEST(SourcePlace, KeepsOthersWhole) {
  const auto sibling = PlaceOf(Frame("f", "/srcs/x.c", 0), Root("/src"));
  ASSERT_TRUE(sibling.has_value());
  EXPECT_EQ(sibling->path, "/srcs/x.c");
  EXPECT_FALSE(sibling->in_root);
  EXPECT_EQ(sibling->line, 1U);
  EXPECT_FALSE(PlaceOf(Frame("f", "../x.c", 3), Root("/src"))->in_root);
  EXPECT_FALSE(PlaceOf(Frame("f"), Root("/src")).has_value());
}

TEST(SourcePlace, TakesARelativePathForTheRootsWhereThereIsSuchAFile) {
  const heapledger::testing::TempDirectory root;
  std::ofstream(root.Path("x.c")) << "int x;\n";
  const auto own = PlaceOf(Frame("f", "./x.c", 3), Root(root.path()));
  EXPECT_TRUE(own->in_root);
  EXPECT_EQ(own->path, "x.c");
  // As Debian's libc names its own.
  const auto library =
      PlaceOf(Frame("f", "./stdlib/exit.c", 3), Root(root.path()));
  EXPECT_FALSE(library->in_root);
  EXPECT_EQ(library->path, "stdlib/exit.c");
  EXPECT_FALSE(PlaceOf(Frame("f", "x.c", 3), Root(""))->in_root);
}

TEST(SourcePlace, ShowsALibrarysLeakAtTheCallIntoIt) {
  Finding finding = testing::Leak(1, "lib_parse", {1, 1});
  finding.name.file = "/usr/src/lib/parse.c";
  finding.stack = {Frame("lib_parse", "/usr/src/lib/parse.c", 5),
                   Frame("load", "/src/load.c", 9),
                   Frame("main", "/src/main.c", 3)};
  const auto place = PlaceOf(finding, Root("/src"));
  ASSERT_TRUE(place.has_value());
  EXPECT_EQ(place->path, "load.c");
  EXPECT_EQ(place->line, 9U);
  EXPECT_EQ(PlaceOf(finding, Root("/elsewhere"))->path, "/usr/src/lib/parse.c");
}

TEST(SourcePlace, EscapesForUris) {
  EXPECT_EQ(UriPath("a b/c#1%.c"), "a%20b/c%231%25.c");
  EXPECT_EQ(UriPath("\xc3\xa4"), "%C3%A4");
}

}  // namespace
}  // namespace heapledger::collector::gate
