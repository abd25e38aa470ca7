// SPDX-License-Identifier: Apache-2.0
#include "collector/shm/ledger_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/support/ledger_builder.h"

namespace heapledger::collector {
namespace {

using ledger::ExtentKind;
using testing::LedgerBuilder;

// A memfd that holds the first `bytes` of a built ledger.
int MemoryFile(LedgerBuilder& builder, std::size_t bytes) {
  const int descriptor = memfd_create("ledger", MFD_CLOEXEC);
  EXPECT_EQ(ftruncate(descriptor, static_cast<off_t>(bytes)), 0);
  const std::size_t filled = std::min(bytes, builder.used_bytes());
  EXPECT_EQ(pwrite(descriptor, builder.data(), filled, 0),
            static_cast<ssize_t>(filled));
  return descriptor;
}

absl::StatusOr<LedgerSnapshot> TakeOf(LedgerBuilder& builder) {
  auto reader = LedgerReader::Adopt(MemoryFile(builder, builder.size()), "L");
  if (!reader.ok()) return reader.status();
  return (*reader)->Take();
}

LedgerSnapshot MustTake(LedgerBuilder& builder) {
  auto snapshot = TakeOf(builder);
  EXPECT_TRUE(snapshot.ok()) << snapshot.status();
  return snapshot.ok() ? *std::move(snapshot) : LedgerSnapshot();
}

std::string Refusal(LedgerBuilder& builder) {
  const auto snapshot = TakeOf(builder);
  EXPECT_FALSE(snapshot.ok());
  return std::string(snapshot.status().message());
}

std::vector<std::uint64_t> PcsOf(const LedgerSnapshot& snapshot,
                                 std::size_t callsite) {
  std::vector<std::uint64_t> pcs;
  for (const auto frame : snapshot.stack(snapshot.callsites()[callsite])) {
    pcs.push_back(snapshot.tables->frames[frame].pc);
  }
  return pcs;
}

TEST(LedgerReaderTest, ReadsIdentityAndWhatIsWrittenOnce) {
  LedgerBuilder builder;
  builder.header().image = 3;
  builder.header().parent_pid = 7;
  const auto module =
      builder.AddModule("/usr/lib/liborders.so", 0x7000'0000, "\xde\xad");
  const auto inner = builder.AddFrame(0x7000'0010, module);
  const auto outer =
      builder.AddFrame(0x7000'0020, module, ledger::kFramePcIsExact);
  builder.AddCallsite(builder.AddStack({inner, outer}),
                      ledger::kCallsiteTruncated);
  const LedgerSnapshot snapshot = MustTake(builder);
  EXPECT_EQ(snapshot.identity.Key(), "4242-987654.3");
  EXPECT_EQ(snapshot.identity.Program(), "orders");
  EXPECT_EQ(snapshot.identity.parent_pid, 7U);
  EXPECT_EQ(snapshot.identity.shim_version, "0.1.0");
  EXPECT_EQ(snapshot.state, ProcessState::kLive);
  EXPECT_EQ(snapshot.mode, MeasureMode::kExact);
  ASSERT_EQ(snapshot.tables->modules.size(), 1U);
  EXPECT_EQ(snapshot.tables->modules[0].path, "/usr/lib/liborders.so");
  EXPECT_EQ(BuildIdHex(snapshot.tables->modules[0].build_id), "dead");
  ASSERT_EQ(snapshot.callsites().size(), 1U);
  EXPECT_TRUE(snapshot.callsites()[0].truncated);
  EXPECT_EQ(snapshot.callsites()[0].depth, 2U);
  EXPECT_EQ(PcsOf(snapshot, 0),
            (std::vector<std::uint64_t>{0x7000'0010, 0x7000'0020}));
  EXPECT_FALSE(snapshot.tables->frames[0].pc_is_exact);
  EXPECT_TRUE(snapshot.tables->frames[1].pc_is_exact);
  EXPECT_EQ(snapshot.corrupt_records, 0U);
}

TEST(LedgerReaderTest, SumsACallsiteOverItsShards) {
  LedgerBuilder builder;
  const auto a = builder.AddSimpleCallsite(0x10);
  const auto b = builder.AddSimpleCallsite(0x20);
  builder.Allocate(a, 0, 100, 2);
  builder.Allocate(a, 23, 50, 1);
  builder.Free(a, 5, 100, 2);  // another thread's shard: negative by itself
  builder.Allocate(b, 5, 7, 7);
  const LedgerSnapshot snapshot = MustTake(builder);
  ASSERT_EQ(snapshot.counters.size(), 2U);
  EXPECT_EQ(snapshot.counters[0].allocated_bytes, 150U);
  EXPECT_EQ(snapshot.counters[0].live_bytes(), 50U);
  EXPECT_EQ(snapshot.counters[0].live_objects(), 1U);
  HeapCounters sum = snapshot.counters[0];
  sum += snapshot.counters[1];
  EXPECT_EQ(snapshot.totals, sum);
  EXPECT_EQ(snapshot.totals.live_bytes(), 57U);
}

TEST(LedgerReaderTest, KeepsInheritedBlocksOutOfAllocated) {
  LedgerBuilder builder;
  const auto inherited =
      builder.AddCallsite(builder.AddStack({builder.AddFrame(0x10, 0)}),
                          ledger::kCallsiteInherited);
  const auto own =
      builder.AddCallsite(builder.AddStack({builder.AddFrame(0x10, 0)}));
  builder.Allocate(inherited, 0, 1000, 10);
  builder.Free(inherited, 1, 300, 3);
  builder.Allocate(own, 1, 5, 1);
  const LedgerSnapshot snapshot = MustTake(builder);
  ASSERT_EQ(snapshot.counters.size(), 2U) << "own and inherited do not merge";
  EXPECT_EQ(snapshot.totals.inherited_bytes, 1000U);
  EXPECT_EQ(snapshot.totals.inherited_objects, 10U);
  EXPECT_EQ(snapshot.totals.allocated_bytes, 5U);
  EXPECT_EQ(snapshot.totals.freed_bytes, 300U);
  EXPECT_EQ(snapshot.totals.live_bytes(), 705U);
}

TEST(LedgerReaderTest, MergesCallsitesWithEqualStacks) {
  LedgerBuilder builder;
  const auto module = builder.AddModule("/bin/a", 0x1000);
  // Frames, nodes and callsites interned twice by racing threads.
  const auto first = builder.AddCallsite(builder.AddStack(
      {builder.AddFrame(0x1010, module), builder.AddFrame(0x1020, module)}));
  const auto second = builder.AddCallsite(builder.AddStack(
      {builder.AddFrame(0x1010, module), builder.AddFrame(0x1020, module)}));
  builder.Allocate(first, 0, 10, 1);
  builder.Allocate(second, 3, 20, 1);
  const LedgerSnapshot snapshot = MustTake(builder);
  ASSERT_EQ(snapshot.counters.size(), 1U);
  EXPECT_EQ(snapshot.counters[0].live_bytes(), 30U);
  EXPECT_EQ(snapshot.callsites()[0].id, first);
  EXPECT_EQ(snapshot.tables->frames.size(), 2U);
}

TEST(LedgerReaderTest, KeepsCutStacksApartAndAddsThemUp) {
  LedgerBuilder builder;
  const auto frame = builder.AddFrame(0x10, 0);
  const auto whole = builder.AddCallsite(builder.AddStack({frame}));
  const auto cut =
      builder.AddCallsite(builder.AddStack({frame}), ledger::kCallsiteCut);
  const auto inherited =
      builder.AddCallsite(builder.AddStack({frame}),
                          ledger::kCallsiteCut | ledger::kCallsiteInherited);
  builder.Allocate(whole, 0, 100, 1);
  builder.Allocate(cut, 0, 50, 5);
  builder.Free(cut, 1, 10, 1);
  builder.Allocate(inherited, 0, 7, 1);
  const LedgerSnapshot snapshot = MustTake(builder);
  ASSERT_EQ(snapshot.callsites().size(), 3U);
  EXPECT_FALSE(snapshot.callsites()[0].cut);
  EXPECT_TRUE(snapshot.callsites()[1].cut);
  EXPECT_EQ(snapshot.cut.live_bytes(), 47U);
  EXPECT_EQ(snapshot.cut.live_objects(), 5U);
  EXPECT_EQ(snapshot.totals.live_bytes(), 147U);
}

TEST(LedgerReaderTest, ReadsHowMuchIsMeasuredAndSinceWhen) {
  LedgerBuilder builder;
  LedgerSnapshot snapshot = MustTake(builder);
  EXPECT_FALSE(snapshot.estimated());
  EXPECT_FALSE(snapshot.never_armed());
  ledger::Header& header = builder.header();
  header.mode = static_cast<std::uint32_t>(ledger::Mode::kDormant);
  header.stack_mode = static_cast<std::uint32_t>(ledger::StackMode::kAdaptive);
  header.budget_percent = 4;
  snapshot = MustTake(builder);
  EXPECT_EQ(snapshot.mode, MeasureMode::kDormant);
  EXPECT_EQ(snapshot.stack_detail, StackDetail::kAdaptive);
  EXPECT_EQ(snapshot.budget_percent, 4U);
  EXPECT_TRUE(snapshot.never_armed());
  header.mode = static_cast<std::uint32_t>(ledger::Mode::kSampled);
  header.sample_bytes = 524288;
  header.armed_realtime_ns = 11;
  header.disarmed_realtime_ns = 22;
  snapshot = MustTake(builder);
  EXPECT_TRUE(snapshot.estimated());
  EXPECT_EQ(snapshot.sample_bytes, 524288U);
  EXPECT_EQ(snapshot.armed_realtime_ns, 11U);
  EXPECT_EQ(snapshot.disarmed_realtime_ns, 22U);
  header.mode = static_cast<std::uint32_t>(ledger::Mode::kDormant);
  snapshot = MustTake(builder);
  EXPECT_TRUE(snapshot.estimated()) << "what it measured is still an estimate";
  EXPECT_FALSE(snapshot.never_armed());
  header.armed_realtime_ns = 0;  // exact from the start, then disarmed
  EXPECT_FALSE(MustTake(builder).never_armed());
}

TEST(LedgerReaderTest, BooksTheOverflowCallsiteWithoutARecord) {
  LedgerBuilder builder;
  builder.Allocate(ledger::kOverflowCallsite, 2, 64, 1);
  const LedgerSnapshot snapshot = MustTake(builder);
  ASSERT_EQ(snapshot.counters.size(), 1U);
  EXPECT_TRUE(snapshot.callsites()[0].overflow);
  EXPECT_EQ(snapshot.totals.live_bytes(), 64U);
  EXPECT_EQ(snapshot.corrupt_records, 0U);
}

TEST(LedgerReaderTest, TakesThePeakFromWhateverSawTheMost) {
  LedgerBuilder builder;
  const auto a = builder.AddSimpleCallsite(0x10);
  builder.Allocate(a, 0, 100, 1);
  EXPECT_EQ(MustTake(builder).peak_live_bytes, 100U);
  builder.header().handed_in_bytes = 60;
  builder.shard(4).net_bytes = 40;
  builder.shard(4).high_water_bytes = 70;
  builder.shard(5).net_bytes = 0;
  builder.shard(5).high_water_bytes = 5;
  EXPECT_EQ(MustTake(builder).peak_live_bytes, 130U);
  builder.header().peak_live_bytes = 500;
  EXPECT_EQ(MustTake(builder).peak_live_bytes, 500U);
}

TEST(LedgerReaderTest, FollowsALedgerThatGrows) {
  LedgerBuilder builder;
  const auto a = builder.AddSimpleCallsite(0x10);
  builder.Allocate(a, 0, 10, 1);
  const int descriptor = MemoryFile(builder, builder.size());
  auto* const shared = static_cast<std::byte*>(mmap(nullptr, builder.size(),
                                                    PROT_READ | PROT_WRITE,
                                                    MAP_SHARED, descriptor, 0));
  auto reader = LedgerReader::Adopt(descriptor, "L");
  ASSERT_TRUE(reader.ok());
  const auto before = (*reader)->Take();
  ASSERT_TRUE(before.ok());

  const auto b = builder.AddSimpleCallsite(0x20);
  builder.Allocate(b, 7, 20, 2);
  builder.Allocate(a, 0, 1, 1);
  memcpy(shared, builder.data(), builder.used_bytes());
  const auto after = (*reader)->Take();
  ASSERT_TRUE(after.ok());
  EXPECT_EQ(before->lineage, after->lineage);
  EXPECT_EQ(before->callsites().size(), 1U);
  EXPECT_EQ(before->totals.live_bytes(), 10U);
  ASSERT_EQ(after->callsites().size(), 2U);
  EXPECT_EQ(after->callsites()[0].id, a);
  EXPECT_EQ(after->counters[0].live_bytes(), 11U);
  EXPECT_EQ(PcsOf(*after, 1), std::vector<std::uint64_t>{0x20});
  munmap(shared, builder.size());
}

TEST(LedgerReaderTest, RefusesAnotherVersionAndNamesBoth) {
  LedgerBuilder builder;
  builder.header().abi_version = 9;
  EXPECT_EQ(Refusal(builder),
            "read ledger L: its format is version 9 and this heapledger reads "
            "version 2; use the heapledger that belongs to the shim");
}

TEST(LedgerReaderTest, TellsAnUnfinishedLedgerFromOneThatIsNone) {
  LedgerBuilder builder;
  builder.header().magic = 0;
  EXPECT_EQ(TakeOf(builder).status().code(), absl::StatusCode::kUnavailable);
  builder.header().magic = 42;
  EXPECT_EQ(Refusal(builder),
            "read ledger L: it is no ledger: wrong magic number");
}

TEST(LedgerReaderTest, RefusesImpossibleSizes) {
  LedgerBuilder builder;
  builder.header().cap_bytes = ledger::kMaximumCapBytes + 1;
  EXPECT_NE(Refusal(builder).find("impossible size"), std::string::npos);
  builder.header().cap_bytes = builder.size() + 1;
  EXPECT_NE(Refusal(builder).find("cut short"), std::string::npos);
}

TEST(LedgerReaderTest, LeavesACircleOfParentsOut) {
  LedgerBuilder builder;
  const auto frame = builder.AddFrame(0x10, 0);
  const auto a = builder.AddNode(0, frame);
  const auto b = builder.AddNode(a, frame);
  builder.node(a).parent_frame = ledger::StackNode::Pack(b, frame);
  const auto callsite = builder.AddCallsite(b);
  builder.Allocate(callsite, 0, 10, 1);
  const LedgerSnapshot snapshot = MustTake(builder);
  EXPECT_EQ(snapshot.corrupt_records, 1U);
  EXPECT_EQ(snapshot.callsites()[0].stack_size, 0U);
  EXPECT_EQ(snapshot.totals.live_bytes(), 10U) << "counts are not given up";
}

TEST(LedgerReaderTest, AcceptsTheDeepestStack) {
  LedgerBuilder builder;
  std::vector<std::uint32_t> frames;
  for (std::uint32_t i = 0; i < ledger::kMaxStackDepth; ++i) {
    frames.push_back(builder.AddFrame(0x1000 + i, 0));
  }
  builder.AddCallsite(builder.AddStack(frames));
  const LedgerSnapshot snapshot = MustTake(builder);
  EXPECT_EQ(snapshot.corrupt_records, 0U);
  EXPECT_EQ(snapshot.callsites()[0].stack_size, ledger::kMaxStackDepth);
}

TEST(LedgerReaderTest, LeavesOutWhatPointsNowhere) {
  LedgerBuilder builder;
  builder.AddCallsite(999'999);                          // no such node
  builder.AddCallsite(builder.AddNode(0, 0xffff'ffff));  // no such frame
  builder.AddCallsite(
      builder.AddStack({builder.AddFrame(0x10, 0xffff'fff0)}));  // module
  const LedgerSnapshot snapshot = MustTake(builder);
  EXPECT_EQ(snapshot.corrupt_records, 3U);
}

TEST(LedgerReaderTest, LeavesTheShimOutOfStacks) {
  LedgerBuilder builder;
  const auto program = builder.AddModule("/usr/bin/orders", 0x10000);
  const auto shim =
      builder.AddModule("/usr/lib/heapledger/libheapledger.so", 0x7000'0000);
  const auto main = builder.AddFrame(0x10010, program);
  const auto wrapper = builder.AddFrame(0x7000'0010, shim);
  const auto start = builder.AddFrame(0x10020, program);
  builder.AddCallsite(builder.AddStack({main, wrapper, start}));
  builder.AddCallsite(builder.AddStack({main, start}));
  const LedgerSnapshot snapshot = MustTake(builder);
  ASSERT_EQ(snapshot.callsites().size(), 1U);
  EXPECT_EQ(PcsOf(snapshot, 0), (std::vector<std::uint64_t>{0x10010, 0x10020}));
}

TEST(LedgerReaderTest, LeavesExtentsOutThatLieOutside) {
  LedgerBuilder builder;
  const auto a = builder.AddSimpleCallsite(0x10);
  builder.Allocate(a, 0, 10, 1);
  const std::uint32_t pages =
      static_cast<std::uint32_t>(builder.size() / ledger::kPageBytes);
  const auto add = [&builder](std::uint32_t kind_owner, std::uint32_t chunk,
                              std::uint32_t page, std::uint32_t count) {
    ledger::Extent& e = builder.extent(builder.header().extent_count++);
    e.chunk = chunk;
    e.page = page;
    e.pages = count;
    e.kind_owner = kind_owner;
  };
  constexpr auto kCounters = static_cast<std::uint32_t>(ExtentKind::kCounters);
  add(kCounters | (1U << 8), 0, pages - 3, 4);            // past the end
  add(kCounters | (1U << 8), 0, 0xffff'fffe, 4);          // page wraps
  add(kCounters | (1U << 8), 0, 0, 4);                    // over the header
  add(kCounters | (1U << 8), 0xffff'ffff, pages - 4, 4);  // chunk
  add(kCounters | (24U << 8), 0, pages - 4, 4);           // shard
  add(kCounters | (1U << 8), 0, pages - 4, 5);            // length
  add(200, 0, pages - 4, 4);                              // unknown: no damage
  const LedgerSnapshot snapshot = MustTake(builder);
  EXPECT_EQ(snapshot.corrupt_records, 6U);
  EXPECT_EQ(snapshot.totals.live_bytes(), 10U);
}

TEST(LedgerReaderTest, CountsExtentsThatShareAPage) {
  LedgerBuilder builder;
  const auto a = builder.AddSimpleCallsite(0x10);
  builder.Allocate(a, 0, 10, 1);
  for (std::uint32_t i = 0; i < builder.header().extent_count; ++i) {
    const ledger::Extent& e = builder.extent(i);
    if ((e.kind_owner & 0xff) !=
        static_cast<std::uint32_t>(ExtentKind::kCounters)) {
      continue;
    }
    ledger::Extent& copy = builder.extent(builder.header().extent_count++);
    copy.chunk = e.chunk;
    copy.page = e.page;
    copy.pages = e.pages;
    copy.kind_owner = e.kind_owner.load();
    break;
  }
  const LedgerSnapshot snapshot = MustTake(builder);
  EXPECT_EQ(snapshot.corrupt_records, 1U);
  EXPECT_EQ(snapshot.totals.live_bytes(), 10U) << "not counted twice";
}

TEST(LedgerReaderTest, FindsRecordsBehindAnExtentThatLostARace) {
  LedgerBuilder builder;
  // The loser's pages, all zeros, come first.
  builder.AddExtent(ExtentKind::kNodes, 0, 0,
                    ledger::Chunking<ledger::StackNode>::kPages);
  builder.AddExtent(ExtentKind::kCallsites, 0, 0,
                    ledger::Chunking<ledger::CallsiteRecord>::kPages);
  const auto a = builder.AddSimpleCallsite(0x10);
  builder.Allocate(a, 0, 10, 1);
  const LedgerSnapshot snapshot = MustTake(builder);
  ASSERT_EQ(snapshot.callsites().size(), 1U);
  EXPECT_EQ(PcsOf(snapshot, 0), std::vector<std::uint64_t>{0x10});
}

TEST(LedgerReaderTest, KeepsItsPromisesUnderAbsurdCounts) {
  LedgerBuilder builder;
  const auto a = builder.AddSimpleCallsite(0x10);
  const auto b = builder.AddSimpleCallsite(0x20);
  builder.Allocate(a, 0, ~0ULL, ~0ULL);  // noise: left out
  builder.Allocate(b, 0, 5, 1);
  builder.Free(b, 1, 50, 3);  // more than was ever allocated
  builder.shard(0).net_bytes = INT64_MIN;
  builder.shard(1).high_water_bytes = INT64_MAX;
  builder.header().handed_in_bytes = INT64_MAX;
  const LedgerSnapshot snapshot = MustTake(builder);
  EXPECT_EQ(snapshot.totals.live_bytes(), 0U);
  EXPECT_EQ(snapshot.totals.freed_bytes, 5U);
  EXPECT_GE(snapshot.corrupt_records, 4U);
}

TEST(LedgerReaderTest, CutsATextThatHasNoEnd) {
  LedgerBuilder builder;
  std::ranges::fill(builder.header().exe, 'x');
  const LedgerSnapshot snapshot = MustTake(builder);
  EXPECT_EQ(snapshot.identity.exe.size(), sizeof(ledger::Header::exe) - 1);
  EXPECT_EQ(snapshot.corrupt_records, 1U);
}

TEST(LedgerReaderTest, ReadsAModulePathThatFillsItsField) {
  LedgerBuilder builder;
  const std::string path(ledger::kModulePathBytes, 'p');
  const auto id = builder.AddModule(path, 0x1000);
  builder.AddCallsite(builder.AddStack({builder.AddFrame(0x1010, id)}));
  EXPECT_EQ(MustTake(builder).tables->modules[0].path, path);
  builder.module(id).path_bytes = ledger::kModulePathBytes + 1;
  const LedgerSnapshot snapshot = MustTake(builder);
  EXPECT_EQ(snapshot.corrupt_records, 1U);
  EXPECT_EQ(snapshot.tables->modules[0].path, path);
}

TEST(LedgerReaderTest, SaysHowMuchMemoryTheLedgerTakes) {
  LedgerBuilder builder;
  EXPECT_EQ(MustTake(builder).ledger_bytes, 3U * ledger::kPageBytes);
  const auto a = builder.AddSimpleCallsite(0x10);
  builder.Allocate(a, 0, 1, 1);
  // Frames 4, nodes 4, callsites 3, counters 4.
  EXPECT_EQ(MustTake(builder).ledger_bytes, 18U * ledger::kPageBytes);
}

TEST(LedgerReaderTest, RefusesWhatIsNoRegularFile) {
  EXPECT_FALSE(LedgerReader::Open("/dev/null").ok());
  EXPECT_FALSE(LedgerReader::Open("/").ok());
  EXPECT_EQ(LedgerReader::Open("/nonexistent").status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace heapledger::collector
