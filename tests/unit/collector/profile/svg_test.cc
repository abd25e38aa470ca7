// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

#include "collector/profile/difference.h"
#include "collector/profile/writers.h"
#include "tests/unit/collector/profile/heap_maker.h"

namespace heapledger::collector {
namespace {

using testing::HeapMaker;

bool Holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(WriteSvgTest, TitlesHaveExactFigures) {
  HeapMaker heap;
  const auto main = heap.AddFrame("main");
  heap.AddCallsite({heap.AddFrame("f<int>"), main}, 1234567, 89);
  heap.AddCallsite({main}, 1, 1);
  const std::string svg = WriteSvg(heap.Make(), {});
  EXPECT_TRUE(Holds(svg,
                    "<title>f&lt;int&gt;  prog\n1,234,567 bytes, 89 objects, "
                    "100.0%</title>"))
      << svg;
  EXPECT_TRUE(Holds(svg, "<title>main  prog\n1,234,568 bytes, 90 objects, "));
}

TEST(WriteSvgTest, LeavesOutWhatCannotBeSeen) {
  HeapMaker heap;
  heap.AddCallsite({heap.AddFrame("large")}, 1'000'000, 1);
  heap.AddCallsite({heap.AddFrame("dust")}, 1, 1);
  const std::string svg = WriteSvg(heap.Make(), {});
  EXPECT_TRUE(Holds(svg, "large"));
  EXPECT_FALSE(Holds(svg, "dust"));
}

TEST(WriteSvgTest, PaintsADifferenceByItsSign) {
  HeapMaker heap;
  const auto f = heap.AddCallsite({heap.AddFrame("f")}, 100, 2);
  const Profile less = heap.Make();
  heap.Allocate(f, 50, 1);
  const Profile more = heap.Make();
  const std::string grew = WriteSvg(Difference(less, more), {});
  EXPECT_TRUE(Holds(grew, "from 100 to 150 bytes (+50)"));
  EXPECT_TRUE(Holds(grew, "fill=\"hsl(5,"));
  EXPECT_FALSE(Holds(grew, "fill=\"hsl(215,"));
  const std::string shrank = WriteSvg(Difference(more, less), {});
  EXPECT_TRUE(Holds(shrank, "(-50)"));
  EXPECT_TRUE(Holds(shrank, "fill=\"hsl(215,"));
}

}  // namespace
}  // namespace heapledger::collector
