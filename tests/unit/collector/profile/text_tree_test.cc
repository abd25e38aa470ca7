// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

#include "collector/profile/difference.h"
#include "collector/profile/writers.h"
#include "tests/unit/collector/profile/heap_maker.h"

namespace heapledger::collector {
namespace {

using testing::HeapMaker;

std::string TreeOf(const std::string& text) {
  return text.substr(text.find("\n\n") + 2);
}

class WriteTextTest : public ::testing::Test {
 protected:
  WriteTextTest() {
    main_ = heap_.AddFrame("main");
    serve_ = heap_.AddFrame("serve");
    cache_ = heap_.AddFrame("cache");
    parse_ = heap_.AddFrame("parse");
    cached_ = heap_.AddCallsite({cache_, serve_, main_}, 6000, 6);
    parsed_ = heap_.AddCallsite({parse_, serve_, main_}, 3990, 3);
    heap_.AddCallsite({main_}, 8, 1);
    heap_.AddCallsite({heap_.AddFrame("tiny"), main_}, 2, 1);
  }

  HeapMaker heap_;
  std::uint32_t main_, serve_, cache_, parse_, cached_, parsed_;
};

TEST_F(WriteTextTest, IndentsBranchesAndPrunesWithACount) {
  EXPECT_EQ(TreeOf(WriteText(heap_.Make(), {})),
            " BYTES   SHARE  FUNCTION\n"
            "10,000  100.0%  all\n"
            "10,000  100.0%  ↳ main  prog\n"
            " 9,990   99.9%    serve  prog\n"
            " 6,000   60.0%      cache  prog\n"
            " 3,990   39.9%      parse  prog\n"
            "     8    0.1%    [itself]\n"
            "     2    0.0%    … 1 smaller\n");
}

TEST_F(WriteTextTest, ShowsBothEndsOfADifference) {
  const Profile before = heap_.Make();
  heap_.Allocate(cached_, 1000, 1);
  heap_.Free(parsed_, 3990, 3);
  EXPECT_EQ(TreeOf(WriteText(Difference(before, heap_.Make()), {})),
            " BEFORE    AFTER   CHANGE   SHARE  FUNCTION\n"
            " 10,000    7,010   -2,990  100.0%  all\n"
            " 10,000    7,010   -2,990  100.0%  ↳ main  prog\n"
            "  9,990    7,000   -2,990   99.9%    serve  prog\n"
            "  6,000    7,000   +1,000   63.6%      cache  prog\n"
            "  3,990        0   -3,990   36.3%      parse  prog\n"
            "      8        8        0    0.1%    [itself]\n"
            "      2        2        0    0.0%    … 1 smaller\n");
}

TEST_F(WriteTextTest, SaysHowItWasMeasured) {
  heap_.snapshot().mode = MeasureMode::kSampled;
  heap_.snapshot().sample_bytes = 4096;
  heap_.callsite(cached_).cut = true;
  const std::string text = WriteText(heap_.Make(), {});
  EXPECT_EQ(
      text.substr(0, text.find("\n\n") + 1),
      "prog  pid 4242  live  sampled, full stacks  2023-11-14T22:13:20Z\n"
      "live-bytes (estimated)\n"
      "estimated: one sample per 4096 bytes on average, scaled up without "
      "bias\n"
      "60.0% of the live bytes stand on stacks that adaptive depth has "
      "cut\n");
}

}  // namespace
}  // namespace heapledger::collector
