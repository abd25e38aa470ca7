// SPDX-License-Identifier: Apache-2.0
#include "preload/runtime/python_code.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/preload/runtime/fake_memory.h"

namespace heapledger::preload {
namespace {

constexpr std::uint64_t kCode = 0x30000;
constexpr std::uint64_t kTable = 0x60000;

class PythonCodeTest : public ::testing::Test {
 protected:
  CodeIdentity Who(std::uint32_t version) const {
    return IdentifyCode(*FindCpythonLayout(version), memory_, kCode);
  }
  void PutCode(std::uint32_t version, std::uint32_t first_line) {
    const CpythonLayout& layout = *FindCpythonLayout(version);
    memory_.Put(kCode + layout.code.name, std::uint64_t{0x40000});
    memory_.Put(kCode + layout.code.filename, std::uint64_t{0x50000});
    memory_.Put(kCode + layout.code.line_table, kTable);
    memory_.Put(kCode + layout.code.first_line, first_line);
  }
  void PutTable(const std::string& bytes) {
    memory_.Put(kTable + kPySizeOffset, std::uint64_t{bytes.size()});
    memory_.PutBytes(kTable + kPyBytesOffset, bytes);
  }

  heapledger::testing::FakeMemory memory_;
};

TEST_F(PythonCodeTest, KnowsWhatACodeObjectRefersTo) {
  for (std::uint32_t minor = 8; minor <= 13; ++minor) {
    const std::uint32_t version = 0x03000000 | minor << 16;
    PutCode(version, 17);
    const CodeIdentity who = Who(version);
    EXPECT_EQ(who.name, 0x40000U);
    EXPECT_EQ(who.filename, 0x50000U);
    EXPECT_EQ(who.line_table, kTable);
    EXPECT_EQ(who.first_line, 17U);
  }
}

// The same names, place and sizes: only what the version counts tells them.
TEST_F(PythonCodeTest, TellsCodeByItsNumberWhereItHasOne) {
  PutCode(0x030c0000, 17);
  memory_.Put(kCode + 92, std::uint32_t{5});
  const CodeIdentity before = Who(0x030c0000);
  memory_.Put(kCode + 92, std::uint32_t{6});
  EXPECT_FALSE(Who(0x030c0000) == before);
}

TEST_F(PythonCodeTest, TellsCodeByItsLineTableWhereItHasNoNumber) {
  for (const std::uint32_t version : {0x03080000U, 0x030b0000U}) {
    PutCode(version, 17);
    PutTable(std::string(40, 'a'));
    const CodeIdentity before = Who(version);
    EXPECT_TRUE(Who(version) == before);
    for (const std::size_t at : {0U, 7U, 20U, 39U}) {
      std::string other(40, 'a');
      other[at] = 'b';
      PutTable(other);
      EXPECT_FALSE(Who(version) == before) << at;
    }
    PutTable(std::string(39, 'a'));
    EXPECT_FALSE(Who(version) == before);
  }
}

TEST_F(PythonCodeTest, HasAKeyForAllThatTellsIt) {
  PutCode(0x030b0000, 17);
  const CodeIdentity who = Who(0x030b0000);
  const std::uint64_t key = KeyOfCode(kCode, who);
  EXPECT_NE(KeyOfCode(kCode + 16, who), key);
  CodeIdentity other = who;
  other.name += 16;
  EXPECT_NE(KeyOfCode(kCode, other), key);
  other = who;
  other.first_line += 1;
  EXPECT_NE(KeyOfCode(kCode, other), key);
  other = who;
  other.content += 1;
  EXPECT_NE(KeyOfCode(kCode, other), key);
}

}  // namespace
}  // namespace heapledger::preload
