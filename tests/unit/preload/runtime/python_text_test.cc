// SPDX-License-Identifier: Apache-2.0
#include "preload/runtime/python_text.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/no_alloc_guard.h"
#include "tests/unit/preload/runtime/fake_memory.h"

namespace heapledger::preload {
namespace {

constexpr std::uint64_t kText = 0x7000;
constexpr std::uint32_t kCompact = 1U << 5;
constexpr std::uint32_t kAscii = 1U << 6;

class PythonTextTest : public ::testing::Test {
 protected:
  void PutHead(std::uint64_t length, std::uint32_t width, std::uint32_t flags) {
    memory_.Put(kText + 16, length);
    memory_.Put(kText + 32, std::uint32_t{width << 2 | flags});
  }
  void PutAscii(const std::string& text) {
    PutHead(text.size(), 1, kCompact | kAscii);
    memory_.PutBytes(kText + layout_.text.ascii, text);
  }
  template <typename Unit>
  void PutWide(const std::vector<Unit>& units) {
    PutHead(units.size(), sizeof(Unit), kCompact);
    for (std::size_t i = 0; i < units.size(); ++i) {
      memory_.Put(kText + layout_.text.compact + i * sizeof(Unit), units[i]);
    }
  }
  std::string Copied(std::uint32_t capacity, KeepEnd keep = KeepEnd::kBack) {
    char buffer[256];
    {
      const heapledger::testing::NoAllocGuard guard;
      copied_ = CopyPythonText(layout_, memory_, kText, buffer, capacity, keep);
    }
    return {buffer, copied_.bytes};
  }

  const CpythonLayout& layout_ = *FindCpythonLayout(0x030b02f0);
  testing::FakeMemory memory_;
  CopiedText copied_;
};

TEST_F(PythonTextTest, CopiesAscii) {
  PutAscii("Cache.put");
  EXPECT_EQ(Copied(100), "Cache.put");
  EXPECT_FALSE(copied_.truncated);
}

TEST_F(PythonTextTest, TurnsEveryWidthIntoUtf8) {
  PutWide<std::uint8_t>({'f', 0xfc, 'r'});
  EXPECT_EQ(Copied(100), "für");
  PutWide<std::uint16_t>({0x6f22, 'x', 0x5b57});
  EXPECT_EQ(Copied(100), "漢x字");
  PutWide<std::uint32_t>({'a', 0x1f40d, 0x6f22});
  EXPECT_EQ(Copied(100), "a🐍漢");
}

TEST_F(PythonTextTest, ReplacesSurrogatesThatStandAlone) {
  PutWide<std::uint16_t>({'a', 0xdc80, 'b'});
  EXPECT_EQ(Copied(100),
            "a\xef\xbf\xbd"
            "b");
}

TEST_F(PythonTextTest, KeepsTheEndThatIsAskedFor) {
  PutAscii("0123456789");
  EXPECT_EQ(Copied(4, KeepEnd::kBack), "6789");
  EXPECT_TRUE(copied_.truncated);
  EXPECT_EQ(Copied(4, KeepEnd::kFront), "0123");
  EXPECT_TRUE(copied_.truncated);
}

TEST_F(PythonTextTest, NeverCutsACharacterInTwo) {
  PutWide<std::uint16_t>({0x6f22, 0x5b57, 0x6f22});
  EXPECT_EQ(Copied(8, KeepEnd::kBack), "字漢");
  EXPECT_EQ(Copied(8, KeepEnd::kFront), "漢字");
  EXPECT_EQ(Copied(2), "");
  EXPECT_TRUE(copied_.truncated);
}

TEST_F(PythonTextTest, CopiesTextsLongerThanAPiece) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += static_cast<char>('a' + i % 26);
  PutAscii(text);
  EXPECT_EQ(Copied(240), text);
  EXPECT_EQ(Copied(100), text.substr(100));
}

TEST_F(PythonTextTest, RefusesWhatIsNoCompactString) {
  PutAscii("text");
  memory_.Put(kText + 32, std::uint32_t{1U << 2});
  EXPECT_EQ(Copied(100), "");
  memory_.Put(kText + 32, std::uint32_t{3U << 2 | kCompact});
  EXPECT_EQ(Copied(100), "");
}

TEST_F(PythonTextTest, RefusesWhatCannotBeRead) {
  EXPECT_EQ(Copied(100), "");
  PutAscii("text");
  memory_.Put(kText + 16, std::uint64_t{400});
  EXPECT_EQ(Copied(100, KeepEnd::kFront), "");
  memory_.Put(kText + 16, ~std::uint64_t{0});
  EXPECT_EQ(Copied(100), "");
}

}  // namespace
}  // namespace heapledger::preload
