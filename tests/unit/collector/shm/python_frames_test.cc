// SPDX-License-Identifier: Apache-2.0
// Python frames in a ledger, sound and forged.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "collector/shm/ledger_reader.h"
#include "tests/support/ledger_builder.h"

namespace heapledger::collector {
namespace {

using ledger::PythonWord;
using testing::LedgerBuilder;

LedgerSnapshot Take(LedgerBuilder& builder) {
  const int descriptor = memfd_create("ledger", MFD_CLOEXEC);
  EXPECT_EQ(write(descriptor, builder.data(), builder.size()),
            static_cast<ssize_t>(builder.size()));
  auto reader = LedgerReader::Adopt(descriptor, "L");
  EXPECT_TRUE(reader.ok()) << reader.status();
  auto snapshot = (*reader)->Take();
  EXPECT_TRUE(snapshot.ok()) << snapshot.status();
  return snapshot.ok() ? *std::move(snapshot) : LedgerSnapshot();
}

class PythonFramesTest : public ::testing::Test {
 protected:
  std::uint32_t AddPython(std::uint32_t code, std::uint32_t line,
                          std::int64_t unit = 3) {
    return builder_.AddFrame(PythonWord::Pack(code, unit, line), 0,
                             ledger::kFrameIsPython);
  }
  const FrameInfo& FrameOf(const LedgerSnapshot& snapshot, std::size_t callsite,
                           std::size_t index = 0) {
    return snapshot.tables
        ->frames[snapshot.stack(snapshot.callsites()[callsite])[index]];
  }

  LedgerBuilder builder_;
};

TEST_F(PythonFramesTest, HaveTheNameFileAndLineThatTheShimWrote) {
  const auto code = builder_.AddCode("Cache.put", "/srv/app/cache.py", 17);
  const auto native = builder_.AddFrame(0x1234, 0);
  builder_.AddCallsite(builder_.AddStack({native, AddPython(code, 21)}));
  builder_.header().python_version = 0x030b02f0;
  builder_.header().python_state = 3;
  const LedgerSnapshot snapshot = Take(builder_);
  EXPECT_EQ(snapshot.corrupt_records, 0U);
  EXPECT_EQ(PythonVersionText(snapshot.python_version), "3.11.2");
  EXPECT_EQ(PythonStateWord(snapshot.python_state), "frames");
  EXPECT_FALSE(FrameOf(snapshot, 0, 0).is_python());
  const FrameInfo& frame = FrameOf(snapshot, 0, 1);
  ASSERT_TRUE(frame.is_python());
  EXPECT_EQ(frame.line, 21U);
  EXPECT_EQ(frame.module, kNoModule);
  const CodeInfo& info = snapshot.tables->codes[frame.code];
  EXPECT_EQ(info.name, "Cache.put");
  EXPECT_EQ(info.file, "/srv/app/cache.py");
  EXPECT_EQ(info.first_line, 17U);
  EXPECT_EQ(CodeOfPythonPc(frame.pc), frame.code);
  EXPECT_EQ(LineOfPythonPc(frame.pc), 21U);
}

TEST_F(PythonFramesTest, OfOneCodeUnderTwoIdsAreOne) {
  const auto one = builder_.AddCode("f", "a.py", 1);
  const auto two = builder_.AddCode("f", "a.py", 1);
  builder_.AddCallsite(builder_.AddStack({AddPython(one, 2)}));
  builder_.AddCallsite(builder_.AddStack({AddPython(two, 2)}));
  EXPECT_EQ(Take(builder_).callsites().size(), 1U);
}

TEST_F(PythonFramesTest, OfAnotherPlaceOrCodeAreOthers) {
  const auto one = builder_.AddCode("f", "a.py", 1);
  const auto two = builder_.AddCode("f", "a.py", 2);
  builder_.AddCallsite(builder_.AddStack({AddPython(one, 2)}));
  builder_.AddCallsite(builder_.AddStack({AddPython(two, 2)}));
  builder_.AddCallsite(builder_.AddStack({AddPython(one, 2, 4)}));
  // The same number as a pc is no Python frame.
  builder_.AddCallsite(builder_.AddStack(
      {builder_.AddFrame(PythonWord::Pack(one, 3, 2), 0, 0)}));
  EXPECT_EQ(Take(builder_).callsites().size(), 4U);
}

TEST_F(PythonFramesTest, OfCodeThatIsNotThereHaveNoName) {
  builder_.AddCallsite(builder_.AddStack({AddPython(0, 5)}));
  builder_.AddCallsite(builder_.AddStack({AddPython(9999, 5)}));
  const LedgerSnapshot snapshot = Take(builder_);
  const FrameInfo& frame = FrameOf(snapshot, 0);
  ASSERT_TRUE(frame.is_python());
  EXPECT_EQ(snapshot.tables->codes[frame.code].name, "");
  EXPECT_EQ(frame.line, 5U);
}

TEST_F(PythonFramesTest, WithLengthsBeyondTheRecordAreCutAndCounted) {
  const auto code = builder_.AddCode("f", "a.py", 1);
  builder_.code(code).name_bytes = 65535;
  builder_.code(code).file_bytes = 65535;
  builder_.AddCallsite(builder_.AddStack({AddPython(code, 1)}));
  const LedgerSnapshot snapshot = Take(builder_);
  EXPECT_EQ(snapshot.corrupt_records, 1U);
  const CodeInfo& info = snapshot.tables->codes[FrameOf(snapshot, 0).code];
  EXPECT_EQ(info.name.size(), ledger::kCodeTextBytes);
  EXPECT_EQ(info.file, "");
}

TEST_F(PythonFramesTest, AreFoundAsTheLedgerGrows) {
  const auto first = builder_.AddCode("first", "a.py", 1);
  builder_.AddCallsite(builder_.AddStack({AddPython(first, 1)}));
  const int descriptor = memfd_create("ledger", MFD_CLOEXEC);
  ASSERT_EQ(write(descriptor, builder_.data(), builder_.size()),
            static_cast<ssize_t>(builder_.size()));
  auto reader = LedgerReader::Adopt(dup(descriptor), "L");
  ASSERT_TRUE(reader.ok());
  ASSERT_TRUE((*reader)->Take().ok());
  for (int i = 0; i < 100; ++i) {
    const auto code = builder_.AddCode("f" + std::to_string(i), "a.py", 1);
    builder_.AddCallsite(builder_.AddStack({AddPython(code, 2)}));
  }
  ASSERT_EQ(pwrite(descriptor, builder_.data(), builder_.size(), 0),
            static_cast<ssize_t>(builder_.size()));
  close(descriptor);
  const auto snapshot = (*reader)->Take();
  ASSERT_TRUE(snapshot.ok());
  ASSERT_EQ(snapshot->callsites().size(), 101U);
  EXPECT_EQ(snapshot->tables->codes[FrameOf(*snapshot, 100).code].name, "f99");
  EXPECT_EQ(snapshot->tables->codes[FrameOf(*snapshot, 0).code].name, "first");
}

TEST(PythonWordTest, HoldsWhatFitsAndItsLimitForWhatDoesNot) {
  const std::uint64_t word = PythonWord::Pack(77, -1, 4'000'000);
  EXPECT_EQ(PythonWord::Code(word), 77U);
  EXPECT_EQ(PythonWord::Line(word), 4'000'000U);
  EXPECT_NE(word & PythonWord::kMark, 0U);
  EXPECT_EQ(PythonWord::Line(PythonWord::Pack(1, 0, 1U << 30)), 0x3fffffU);
  EXPECT_NE(PythonWord::Pack(1, 0, 1), PythonWord::Pack(1, -1, 1));
  EXPECT_EQ(PythonWord::Code(PythonWord::Pack(
                5, std::numeric_limits<std::int64_t>::max(), 1)),
            5U);
}

TEST(PythonWordsTest, SayEveryStateAndVersion) {
  EXPECT_EQ(PythonStateWord(4), "unknown_version");
  EXPECT_EQ(PythonStateWord(99), "unknown_99");
  EXPECT_TRUE(PythonFramesRefused(4));
  EXPECT_FALSE(PythonFramesRefused(3));
  EXPECT_FALSE(PythonFramesRefused(1));
  EXPECT_EQ(PythonVersionText(0x030a0000), "3.10");
  EXPECT_EQ(PythonVersionText(0x030d00f0), "3.13.0");
}

}  // namespace
}  // namespace heapledger::collector
