// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/jitdump.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace heapledger::symbolizer {
namespace {

constexpr std::uint64_t kCode = 0x7f0000;

// Writes a dump as perf's JIT agents do.
class Writer {
 public:
  Writer() {
    Put<std::uint32_t>(0x4a695444);
    Put<std::uint32_t>(1);
    Put<std::uint32_t>(40);
    Put<std::uint32_t>(62);
    Put<std::uint32_t>(0);
    Put<std::uint32_t>(42);
    Put<std::uint64_t>(1);
    Put<std::uint64_t>(0);
  }

  void Load(std::uint64_t address, std::uint64_t size, std::uint64_t index,
            std::string_view name) {
    const std::size_t at = Begin(0);
    Put<std::uint64_t>(0);  // pid and tid
    Put(address);
    Put(address);
    Put(size);
    Put(index);
    PutText(name);
    bytes_.append(size, '\x90');
    End(at);
  }

  void Move(std::uint64_t from, std::uint64_t to, std::uint64_t size,
            std::uint64_t index) {
    const std::size_t at = Begin(1);
    Put<std::uint64_t>(0);
    Put(from);
    Put(from);
    Put(to);
    Put(size);
    Put(index);
    End(at);
  }

  struct Line {
    std::uint64_t address;
    std::uint32_t line;
    std::string_view file;
  };
  void DebugInfo(std::uint64_t address, const std::vector<Line>& lines) {
    const std::size_t at = Begin(2);
    Put(address);
    Put<std::uint64_t>(lines.size());
    for (const Line& line : lines) {
      Put(line.address);
      Put(line.line);
      Put<std::uint32_t>(0);
      PutText(line.file);
    }
    End(at);
  }

  void Close() { End(Begin(3)); }

  std::string& bytes() { return bytes_; }
  JitDump Parse() const {
    auto dump = JitDump::Parse(bytes_);
    EXPECT_TRUE(dump.ok()) << dump.status();
    return *std::move(dump);
  }

 private:
  template <typename Number>
  void Put(Number number) {
    bytes_.append(reinterpret_cast<const char*>(&number), sizeof number);
  }
  void PutText(std::string_view text) { bytes_.append(text).push_back('\0'); }
  std::size_t Begin(std::uint32_t id) {
    const std::size_t at = bytes_.size();
    Put(id);
    Put<std::uint32_t>(0);
    Put<std::uint64_t>(7);
    return at;
  }
  void End(std::size_t at) {
    const auto size = static_cast<std::uint32_t>(bytes_.size() - at);
    bytes_.replace(at + 4, sizeof size, reinterpret_cast<const char*>(&size),
                   sizeof size);
  }

  std::string bytes_;
};

TEST(JitDumpTest, NamesLoadedCode) {
  Writer writer;
  writer.Load(kCode, 0x20, 1, "JS:*add");
  const JitDump dump = writer.Parse();
  EXPECT_EQ(dump.pid(), 42u);
  EXPECT_FALSE(dump.Find(kCode - 1));
  ASSERT_TRUE(dump.Find(kCode + 0x1f));
  EXPECT_EQ(dump.Find(kCode + 0x1f)->function, "JS:*add");
  EXPECT_EQ(dump.Find(kCode)->line, 0u);
  EXPECT_FALSE(dump.Find(kCode + 0x20));
}

TEST(JitDumpTest, KnowsTheLinesThatCameBeforeTheCode) {
  Writer writer;
  writer.DebugInfo(
      kCode,
      {{kCode + 8, 12, "b.js"}, {kCode, 11, "a.js"}, {kCode + 16, 13, "\xff"}});
  writer.Load(kCode, 0x20, 1, "f");
  const JitDump dump = writer.Parse();
  EXPECT_EQ(dump.Find(kCode + 7)->line, 11u);
  EXPECT_EQ(dump.Find(kCode + 7)->file, "a.js");
  EXPECT_EQ(dump.Find(kCode + 8)->line, 12u);
  EXPECT_EQ(dump.Find(kCode + 8)->file, "b.js");
  // "The same file" means that of the entry before, as written.
  EXPECT_EQ(dump.Find(kCode + 16)->file, "a.js");
}

TEST(JitDumpTest, UndoesTheShiftOfV8) {
  Writer writer;
  writer.DebugInfo(kCode,
                   {{kCode + 0x40, 1, "a.js"}, {kCode + 0x48, 2, "a.js"}});
  writer.Load(kCode, 0x20, 1, "f");
  const JitDump dump = writer.Parse();
  EXPECT_EQ(dump.Find(kCode)->line, 1u);
  EXPECT_EQ(dump.Find(kCode + 8)->line, 2u);
}

TEST(JitDumpTest, FollowsMovedCode) {
  Writer writer;
  writer.DebugInfo(kCode, {{kCode, 5, "a.js"}});
  writer.Load(kCode, 0x20, 1, "f");
  writer.Move(kCode, kCode + 0x1000, 0x20, 1);
  writer.Load(kCode, 0x20, 2, "g");
  const JitDump dump = writer.Parse();
  EXPECT_EQ(dump.Find(kCode)->function, "g");
  EXPECT_EQ(dump.Find(kCode + 0x1004)->function, "f");
  EXPECT_EQ(dump.Find(kCode + 0x1004)->line, 5u);
}

TEST(JitDumpTest, StopsAtTheCloseRecord) {
  Writer writer;
  writer.Load(kCode, 0x20, 1, "f");
  writer.Close();
  writer.Load(kCode, 0x20, 2, "behind");
  EXPECT_EQ(writer.Parse().Find(kCode)->function, "f");
}

TEST(JitDumpTest, LeavesOutARecordThatIsStillBeingWritten) {
  Writer writer;
  writer.Load(kCode, 0x20, 1, "f");
  writer.Load(kCode + 0x100, 0x20, 2, "half");
  writer.bytes().resize(writer.bytes().size() - 1);
  const JitDump dump = writer.Parse();
  EXPECT_EQ(dump.entries(), 1u);
  EXPECT_EQ(dump.skipped_records(), 1u);
  EXPECT_FALSE(dump.Find(kCode + 0x100));
}

TEST(JitDumpTest, RefusesWhatIsNoJitdump) {
  EXPECT_FALSE(JitDump::Parse("").ok());
  EXPECT_FALSE(JitDump::Parse(std::string(64, '\0')).ok());
  Writer writer;
  writer.bytes()[0] ^= 1;
  EXPECT_FALSE(JitDump::Parse(writer.bytes()).ok());
}

TEST(JitDumpTest, SkipsRecordsThatCannotBe) {
  Writer writer;
  writer.Load(~std::uint64_t{0} - 4, 0x20, 1, "past the end of memory");
  writer.Move(kCode, kCode, 0x20, 77);
  writer.Load(kCode, 0, 2, "empty");
  const JitDump dump = writer.Parse();
  EXPECT_EQ(dump.entries(), 0u);
  EXPECT_EQ(dump.skipped_records(), 3u);
}

TEST(JitDumpTest, SurvivesRandomChanges) {
  Writer writer;
  writer.DebugInfo(kCode, {{kCode, 1, "a.js"}, {kCode + 4, 2, "\xff"}});
  writer.Load(kCode, 0x20, 1, "f");
  writer.Move(kCode, kCode + 0x1000, 0x20, 1);
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = writer.bytes();
    for (int i = 0; i < 4; ++i) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    const auto dump = JitDump::Parse(bytes);
    if (dump.ok()) (void)dump->Find(kCode + 4);
  }
}

}  // namespace
}  // namespace heapledger::symbolizer
