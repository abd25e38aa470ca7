// SPDX-License-Identifier: Apache-2.0
#include "collector/profile/hl_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>

#include "collector/ledger/process_account.h"
#include "collector/profile/hl_layout.h"
#include "tests/support/hl_seal.h"
#include "tests/support/temp_directory.h"
#include "tests/unit/collector/profile/heap_maker.h"

namespace heapledger::collector {
namespace {

using heapledger::testing::PlaceOf;
using heapledger::testing::SealHl;
using testing::Function;
using testing::HeapMaker;

// main -> serve -> insert, and what a snapshot can say of itself.
HeapMaker Orders() {
  HeapMaker maker;
  const auto main = maker.AddFrame("main");
  const auto serve = maker.AddFrame("serve");
  const auto insert = maker.AddFrame(ResolvedPc{
      Function("inner", "/src/cache.h", 7), Function("insert", "", 0)});
  maker.AddCallsite({insert, serve, main}, 4096, 4);
  maker.AddCallsite({serve, main}, 1'000'000, 2000);
  maker.AddCallsite({main}, 10, 1);
  maker.AddCallsite({}, 5, 5);
  maker.Free(0, 96, 1);
  maker.callsite(1).truncated = true;
  maker.callsite(1).first_seen_monotonic_ns = 77;
  maker.callsite(2).cut = true;
  maker.callsite(3).overflow = true;
  LedgerSnapshot& s = maker.snapshot();
  s.cut.allocated_bytes = 10;
  s.cut.allocated_objects = 1;
  s.identity.start_time_ticks = 987654;
  s.identity.boot_id = "11111111-2222";
  s.identity.created_realtime_ns = std::numeric_limits<std::uint64_t>::max();
  s.degraded[0] = 12;
  s.degraded[kDegradedKinds - 1] = 3;  // that no build knows
  s.peak_live_bytes = 2'000'000;
  s.state = ProcessState::kKilled;
  s.stack_detail = StackDetail::kAdaptive;
  s.budget_percent = 3;
  s.ledger_bytes = 65536;
  s.taken_monotonic_ns = 5;
  return maker;
}

std::string Written(HeapMaker& maker, FrameNames* names) {
  HlWriteOptions options;
  options.names = names;
  options.written_by = "test";
  options.marks = {{"start", 42, 4096, 1}};
  auto file = WriteHl(*maker.Take(), options);
  EXPECT_TRUE(file.ok()) << file.status();
  return file.ok() ? *file : "";
}

absl::StatusOr<HlFile> Parsed(const std::string& file) {
  return ParseHl(std::as_bytes(std::span(file)), "F.hl");
}

std::string Refusal(const std::string& file) {
  const auto read = Parsed(file);
  EXPECT_FALSE(read.ok());
  EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
  const std::string message(read.status().message());
  EXPECT_EQ(message.rfind("F.hl ", 0), 0U) << message;
  return message;
}

// A sound file with one number of one section replaced.
template <typename Number>
std::string Patched(const std::string& section, std::size_t offset,
                    Number value) {
  HeapMaker maker = Orders();
  std::string file = Written(maker, &maker.names());
  std::memcpy(file.data() + PlaceOf(file, section).content + offset, &value,
              sizeof value);
  SealHl(file);
  return file;
}

template <typename Number>
std::string EntryPatched(const std::string& section, std::size_t offset,
                         Number value) {
  HeapMaker maker = Orders();
  std::string file = Written(maker, &maker.names());
  std::memcpy(file.data() + PlaceOf(file, section).entry + offset, &value,
              sizeof value);
  SealHl(file);
  return file;
}

TEST(HlFileTest, GivesBackTheSnapshotThatWasWritten) {
  HeapMaker maker = Orders();
  const auto before = maker.Take();
  const auto file = Parsed(Written(maker, nullptr));
  ASSERT_TRUE(file.ok()) << file.status();
  const LedgerSnapshot& after = *file->snapshot;
  EXPECT_EQ(after.path, "F.hl");
  EXPECT_NE(after.lineage, before->lineage);
  EXPECT_EQ(after.identity.Key(), before->identity.Key());
  EXPECT_EQ(after.identity.exe, before->identity.exe);
  EXPECT_EQ(after.identity.boot_id, before->identity.boot_id);
  EXPECT_EQ(after.identity.created_realtime_ns,
            before->identity.created_realtime_ns);
  EXPECT_EQ(after.mode, before->mode);
  EXPECT_EQ(after.stack_detail, before->stack_detail);
  EXPECT_EQ(after.budget_percent, 3U);
  EXPECT_EQ(after.state, before->state);
  EXPECT_EQ(after.degraded, before->degraded);
  EXPECT_EQ(after.totals, before->totals);
  EXPECT_EQ(after.cut, before->cut);
  EXPECT_EQ(after.counters, before->counters);
  EXPECT_EQ(after.peak_live_bytes, before->peak_live_bytes);
  EXPECT_EQ(after.ledger_bytes, before->ledger_bytes);
  EXPECT_EQ(after.taken_realtime_ns, before->taken_realtime_ns);
  EXPECT_EQ(after.taken_monotonic_ns, before->taken_monotonic_ns);
  ASSERT_EQ(after.tables->modules.size(), 1U);
  EXPECT_EQ(after.tables->modules[0].path, "/usr/bin/prog");
  EXPECT_EQ(after.tables->modules[0].build_id, "\xaa\xbb");
  EXPECT_EQ(after.tables->modules[0].load_bias, 0x10000U);
  ASSERT_EQ(after.callsites().size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    const CallsiteInfo& a = after.callsites()[i];
    const CallsiteInfo& b = before->callsites()[i];
    EXPECT_TRUE(std::ranges::equal(after.stack(a), before->stack(b))) << i;
    EXPECT_EQ(a.id, b.id);
    EXPECT_EQ(a.truncated, b.truncated);
    EXPECT_EQ(a.cut, b.cut);
    EXPECT_EQ(a.overflow, b.overflow);
    EXPECT_EQ(a.first_seen_monotonic_ns, b.first_seen_monotonic_ns);
  }
  for (std::size_t i = 0; i < after.tables->frames.size(); ++i) {
    EXPECT_EQ(after.tables->frames[i].pc, before->tables->frames[i].pc);
    EXPECT_EQ(after.tables->frames[i].module, before->tables->frames[i].module);
  }
  EXPECT_EQ(file->names, nullptr);
  ASSERT_EQ(file->marks.size(), 1U);
  EXPECT_EQ(file->marks[0].name, "start");
  EXPECT_EQ(file->marks[0].live_bytes, 4096U);
  EXPECT_EQ(file->facts["written_by"], "test");
}

TEST(HlFileTest, CarriesTagsAndTheirScopes) {
  HeapMaker maker = Orders();
  maker.Tag(0, {"request", {{"route", "/cart"}, {"tenant", "acme"}}});
  maker.Tag(2, {"cache", {}});
  maker.snapshot().scopes = {{7, 3}};
  const auto file = Parsed(Written(maker, &maker.names()));
  ASSERT_TRUE(file.ok()) << file.status();
  const LedgerSnapshot& read = *file->snapshot;
  EXPECT_EQ(read.tables->tags, maker.Take()->tables->tags);
  EXPECT_EQ(read.scopes, (std::vector<ScopeCounts>{{7, 3}, {0, 0}}));
  EXPECT_EQ(read.callsites()[0].tag, 0U);
  EXPECT_EQ(read.callsites()[1].tag, kUntagged);
  EXPECT_EQ(read.callsites()[2].tag, 1U);
}

TEST(HlFileTest, RefusesTagsThatAreNotThere) {
  HeapMaker maker = Orders();
  maker.Tag(0, {"request", {{"route", "/cart"}}});
  maker.callsite(1).tag = 5;
  EXPECT_NE(Refusal(Written(maker, nullptr)).find("a tag that is not there"),
            std::string::npos);
}

TEST(HlFileTest, CarriesSectionsThatItDoesNotKnow) {
  HeapMaker maker = Orders();
  HlWriteOptions options;
  const std::string odd("\0\xff odd\n", 7);
  options.others = {{"obituary", odd}, {"a-name-of-16-byt", "x"}, {"none", ""}};
  const auto written = WriteHl(*maker.Take(), options);
  ASSERT_TRUE(written.ok()) << written.status();
  const auto file = Parsed(*written);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(file->others.size(), 2U);
  EXPECT_EQ(file->others[0].name, "a-name-of-16-byt");
  EXPECT_EQ(file->others[1].name, "obituary");
  EXPECT_EQ(file->others[1].bytes, odd);
  EXPECT_EQ(file->snapshot->totals, maker.Take()->totals);
  std::string damaged = *written;
  damaged[PlaceOf(damaged, "obituary").content] ^= 1;
  EXPECT_NE(Refusal(damaged).find("checksum of section obituary"),
            std::string::npos);
}

TEST(HlFileTest, CarriesTheNamesSoThatNoSymbolsAreNeeded) {
  HeapMaker maker = Orders();
  const auto before = maker.Take();
  const auto file = Parsed(Written(maker, &maker.names()));
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_NE(file->names, nullptr);
  const ResolvedPc& names = file->names->Resolve(*file->snapshot, 2);
  ASSERT_EQ(names.size(), 2U);
  EXPECT_EQ(names[0].function, "inner");
  EXPECT_EQ(names[0].file, "/src/cache.h");
  EXPECT_EQ(names[0].line, 7U);
  EXPECT_TRUE(names[0].inlined);
  EXPECT_EQ(names[1].function, "insert");
  EXPECT_EQ(file->facts["names"]["frames"], 3);
  // The same views, fingerprints among them.
  AccountOptions options;
  ProcessAccount live(options, &maker.names());
  ProcessAccount stored(options, file->names.get());
  const auto a = live.Update(before);
  const auto b = stored.Update(file->snapshot);
  ASSERT_EQ(a->top.size(), b->top.size());
  for (std::size_t i = 0; i < a->top.size(); ++i) {
    EXPECT_EQ(a->top[i].fingerprint, b->top[i].fingerprint);
    EXPECT_EQ(a->top[i].name.function, b->top[i].name.function);
    EXPECT_EQ(a->top[i].counters, b->top[i].counters);
  }
}

TEST(HlFileTest, CarriesPythonFramesWithAndWithoutNames) {
  HeapMaker maker = Orders();
  const auto put = maker.AddPythonFrame("Cache.put", "/srv/cache.py", 31);
  maker.AddCallsite({put}, 100, 1);
  maker.snapshot().python_version = 0x030b02f0;
  maker.snapshot().python_state = 3;
  for (FrameNames* const names :
       {static_cast<FrameNames*>(nullptr), &maker.names()}) {
    const auto file = Parsed(Written(maker, names));
    ASSERT_TRUE(file.ok()) << file.status();
    const SnapshotTables& tables = *file->snapshot->tables;
    const FrameInfo& frame = tables.frames[put];
    ASSERT_TRUE(frame.is_python());
    EXPECT_EQ(tables.codes[frame.code].name, "Cache.put");
    EXPECT_EQ(tables.codes[frame.code].file, "/srv/cache.py");
    EXPECT_EQ(frame.line, 31U);
    EXPECT_EQ(file->snapshot->python_version, 0x030b02f0U);
    EXPECT_EQ(file->snapshot->python_state, 3U);
    if (names == nullptr) continue;
    EXPECT_TRUE(file->names->Resolve(*file->snapshot, put)[0].python);
  }
}

TEST(HlFileTest, RefusesPythonCodeThatIsNotThere) {
  HeapMaker maker = Orders();
  const auto put = maker.AddPythonFrame("Cache.put", "/srv/cache.py", 31);
  maker.AddCallsite({put}, 100, 1);
  std::string file = Written(maker, nullptr);
  const std::uint64_t pc = PythonPc(0, 7);
  std::memcpy(file.data() + PlaceOf(file, "frames").content +
                  put * sizeof(hl::Frame) + offsetof(hl::Frame, pc),
              &pc, sizeof pc);
  SealHl(file);
  EXPECT_NE(Refusal(file).find("Python function"), std::string::npos);
}

TEST(HlFileTest, SharesTheOuterPartsOfStacks) {
  HeapMaker maker = Orders();
  const std::string file = Written(maker, nullptr);
  std::uint64_t nodes = 0;
  std::memcpy(&nodes,
              file.data() + PlaceOf(file, hl::kNodes).entry +
                  offsetof(hl::Section, count),
              sizeof nodes);
  EXPECT_EQ(nodes, 3U);  // of stacks of 3 + 2 + 1 frames
}

TEST(HlFileTest, LiesOnMultiplesOfEightBytes) {
  HeapMaker maker = Orders();
  const std::string file = Written(maker, &maker.names());
  for (const char* name : {hl::kFacts, hl::kStrings, hl::kModules, hl::kFrames,
                           hl::kNodes, hl::kCallsites, hl::kCounters,
                           hl::kMarks, hl::kNames, hl::kFunctions}) {
    EXPECT_NE(PlaceOf(file, name).content, 0U) << name;
    EXPECT_EQ(PlaceOf(file, name).content % 8, 0U) << name;
  }
}

TEST(HlFileTest, RefusesAFileThatIsCutShortAnywhere) {
  HeapMaker maker = Orders();
  const std::string file = Written(maker, &maker.names());
  for (std::size_t size = 0; size < file.size(); ++size) {
    Refusal(file.substr(0, size));
  }
  EXPECT_NE(Refusal(file + "x").find("longer than it says"), std::string::npos);
}

TEST(HlFileTest, RefusesEveryFlippedByteThatCounts) {
  HeapMaker maker = Orders();
  const std::string file = Written(maker, &maker.names());
  std::size_t refused = 0;
  for (std::size_t i = 0; i < file.size(); ++i) {
    std::string flipped = file;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x40);
    refused += Parsed(flipped).ok() ? 0 : 1;
  }
  // The rest is padding between sections.
  EXPECT_GE(refused, file.size() - 10 * 7);
}

TEST(HlFileTest, RefusesWhatIsNoSnapshot) {
  EXPECT_NE(Refusal("").find("give a .hl file"), std::string::npos);
  EXPECT_NE(Refusal(std::string(5000, 'x')).find("is no heapledger snapshot"),
            std::string::npos);
}

TEST(HlFileTest, RefusesANewerMajorVersionAndReadsANewerMinorOne) {
  HeapMaker maker = Orders();
  std::string file = Written(maker, nullptr);
  const std::uint16_t two = 2;
  std::string major = file;
  std::memcpy(major.data() + offsetof(hl::Header, major), &two, sizeof two);
  SealHl(major);
  EXPECT_NE(Refusal(major).find("snapshot format 2"), std::string::npos);
  std::memcpy(file.data() + offsetof(hl::Header, minor), &two, sizeof two);
  // Marks become a section that this build does not know.
  std::memcpy(file.data() + PlaceOf(file, hl::kMarks).entry, "ages\0", 6);
  SealHl(file);
  const auto read = Parsed(file);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->marks.empty());
  EXPECT_EQ(read->snapshot->counters.size(), 4U);
}

TEST(HlFileTest, ReadsRecordsThatGotLonger) {
  HeapMaker maker = Orders();
  std::string file = Written(maker, nullptr);
  const auto place = PlaceOf(file, hl::kMarks);
  hl::Section section;
  std::memcpy(&section, file.data() + place.entry, sizeof section);
  // The one mark moves to the end, with 8 bytes more.
  const std::string record = file.substr(place.content, sizeof(hl::Mark));
  section.offset = file.size();
  section.record_bytes = sizeof(hl::Mark) + 8;
  section.size = section.record_bytes;
  std::memcpy(file.data() + place.entry, &section, sizeof section);
  file += record + std::string(8, 'n');
  const std::uint64_t bytes = file.size();
  std::memcpy(file.data() + offsetof(hl::Header, file_bytes), &bytes, 8);
  SealHl(file);
  const auto read = Parsed(file);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->marks.size(), 1U);
  EXPECT_EQ(read->marks[0].name, "start");
}

TEST(HlFileTest, RefusesHugeCounts) {
  constexpr std::uint64_t kHuge = std::uint64_t{1} << 61;
  EXPECT_NE(
      Refusal(EntryPatched(hl::kFrames, offsetof(hl::Section, count), kHuge))
          .find("does not hold what it counts"),
      std::string::npos);
  EXPECT_NE(
      Refusal(EntryPatched(hl::kFrames, offsetof(hl::Section, size), kHuge))
          .find("lies outside it"),
      std::string::npos);
  EXPECT_NE(
      Refusal(EntryPatched(hl::kNodes, offsetof(hl::Section, record_bytes),
                           std::uint32_t{0}))
          .find("does not hold"),
      std::string::npos);
  HeapMaker maker = Orders();
  std::string file = Written(maker, nullptr);
  const std::uint32_t many = 0xffffffff;
  std::memcpy(file.data() + offsetof(hl::Header, section_count), &many, 4);
  EXPECT_NE(Refusal(file).find("section table"), std::string::npos);
}

TEST(HlFileTest, RefusesIndexesThatLeadNowhereOrInACircle) {
  EXPECT_NE(Refusal(Patched(hl::kNodes, 0, std::uint32_t{1}))
                .find("does not lead outwards"),
            std::string::npos);
  EXPECT_NE(Refusal(Patched(hl::kNodes, 8, std::uint32_t{3}))
                .find("does not lead outwards"),
            std::string::npos);
  EXPECT_NE(Refusal(Patched(hl::kNodes, 4, std::uint32_t{3}))
                .find("a frame that is not there"),
            std::string::npos);
  EXPECT_NE(Refusal(Patched(hl::kFrames, 8, std::uint32_t{1}))
                .find("a module that is not there"),
            std::string::npos);
  EXPECT_NE(Refusal(Patched(hl::kCallsites, 4, std::uint32_t{4}))
                .find("a stack that is not there"),
            std::string::npos);
  EXPECT_NE(Refusal(Patched(hl::kModules, 4, std::uint32_t{0x10000}))
                .find("module's name"),
            std::string::npos);
  EXPECT_NE(Refusal(Patched(hl::kNames, 4, std::uint32_t{0xffffffff}))
                .find("frame's names"),
            std::string::npos);
  EXPECT_NE(Refusal(Patched(hl::kFunctions, 0, std::uint32_t{0xfffffff0}))
                .find("function's name"),
            std::string::npos);
  EXPECT_NE(Refusal(Patched(hl::kMarks, 4, std::uint32_t{0xfffffff0}))
                .find("mark's name"),
            std::string::npos);
}

TEST(HlFileTest, RefusesSumsThatDoNotAddUp) {
  const std::size_t allocated = offsetof(hl::Counters, allocated_bytes);
  EXPECT_NE(Refusal(Patched(hl::kCounters, allocated, std::uint64_t{5000}))
                .find("do not add up"),
            std::string::npos);
  EXPECT_NE(Refusal(Patched(hl::kCounters, allocated, std::uint64_t{95}))
                .find("freed more than it had"),
            std::string::npos);
  EXPECT_NE(Refusal(Patched(hl::kCounters, allocated, ~std::uint64_t{0}))
                .find("larger than any"),
            std::string::npos);
  EXPECT_NE(
      Refusal(Patched(hl::kFacts, 0, 'x')).find("facts are no JSON object"),
      std::string::npos);
}

TEST(HlFileTest, RefusesAStackThatIsDeeperThanAny) {
  HeapMaker maker;
  const auto frame = maker.AddFrame("again");
  maker.AddCallsite(std::vector<std::uint32_t>(1025, frame), 1, 1);
  EXPECT_NE(Refusal(Written(maker, nullptr)).find("deeper than any"),
            std::string::npos);
}

TEST(HlFileTest, ReadsFromADiskAndSaysWhatIsMissing) {
  const heapledger::testing::TempDirectory temp;
  HeapMaker maker = Orders();
  const std::string path = temp.Path("a.hl");
  std::ofstream(path, std::ios::binary) << Written(maker, &maker.names());
  EXPECT_TRUE(LooksLikeHl(path));
  const auto read = ReadHl(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->snapshot->totals, maker.Take()->totals);
  const auto facts = ReadHlFacts(path);
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ((*facts)["process"]["pid"], 4242);
  EXPECT_EQ(ReadHl(temp.Path("none.hl")).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_FALSE(LooksLikeHl(temp.path()));
  EXPECT_EQ(ReadHl(temp.path()).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace heapledger::collector
