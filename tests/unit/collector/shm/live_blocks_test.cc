// SPDX-License-Identifier: Apache-2.0
// Reads a map that this process made in its own memory.
#include "collector/shm/live_blocks.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "heapledger/ledger/abi.h"
#include "heapledger/ledger/object_slot.h"

namespace heapledger::collector {
namespace {

constexpr std::uint32_t kLeafShift = 20;
constexpr std::uint32_t kGranuleShift = 5;
constexpr std::uint64_t kLeafHeap = std::uint64_t{1} << kLeafShift;
constexpr std::size_t kGranules = kLeafHeap >> kGranuleShift;
constexpr std::size_t kLeafBytes = (kGranules + 2) * sizeof(std::uint32_t);
// Of a made-up heap; the map says nothing of what lies there.
constexpr std::uint64_t kHeap = 16 * kLeafHeap;

class LiveBlocksTest : public ::testing::Test {
 protected:
  LiveBlocksTest() { directory_ = static_cast<std::uint64_t*>(Map(4096)); }
  ~LiveBlocksTest() override {
    for (const auto& [at, bytes] : mapped_) munmap(at, bytes);
  }

  void* Map(std::size_t bytes) {
    void* const at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mapped_.emplace_back(at, bytes);
    return at;
  }

  std::uint32_t* Leaf(std::uint64_t address) {
    std::uint64_t& leaf = directory_[address >> kLeafShift];
    if (leaf == 0) leaf = reinterpret_cast<std::uint64_t>(Map(kLeafBytes));
    return reinterpret_cast<std::uint32_t*>(leaf) +
           (address % kLeafHeap >> kGranuleShift);
  }

  void Put(std::uint64_t address, std::uint64_t bytes, std::uint32_t callsite) {
    std::uint32_t* const slot = Leaf(address);
    std::uint32_t code = static_cast<std::uint32_t>(bytes);
    if (bytes >= ledger::kSizeInTwoSlots) {
      code = ledger::kSizeInOneSlot;
      slot[1] = static_cast<std::uint32_t>(bytes);
    }
    if (bytes > 0xffffffff) {
      code = ledger::kSizeInTwoSlots;
      slot[2] = static_cast<std::uint32_t>(bytes >> 32);
    }
    slot[0] = code << ledger::kCallsiteBits | callsite;
  }

  ObjectMapPlace Place() {
    return {reinterpret_cast<std::uint64_t>(directory_), kLeafShift,
            kGranuleShift};
  }

  std::unique_ptr<LiveBlocks> Open() {
    auto blocks = LiveBlocks::Open(static_cast<std::uint32_t>(getpid()),
                                   "/proc/self", Place());
    EXPECT_TRUE(blocks.ok()) << blocks.status();
    return *std::move(blocks);
  }

  // "address+bytes:callsite …", addresses from kHeap on.
  std::string Found(std::uint64_t start, std::uint64_t end) {
    std::string text;
    const absl::Status ok = Open()->Visit(
        kHeap + start, kHeap + end, [&text](const LiveBlock& block) {
          text += std::to_string(block.address - kHeap) + "+" +
                  std::to_string(block.bytes) + ":" +
                  std::to_string(block.callsite_id) + " ";
        });
    EXPECT_TRUE(ok.ok()) << ok;
    return text;
  }

  std::uint64_t* directory_;
  std::vector<std::pair<void*, std::size_t>> mapped_;
};

TEST_F(LiveBlocksTest, FindsBlocksOfEverySize) {
  Put(kHeap, 1, 2);
  Put(kHeap + 32, 253, 3);
  Put(kHeap + 320, 254, 4);
  Put(kHeap + 640, 100000, 5);
  Put(kHeap + 3 * kLeafHeap, 5ULL << 32, 0xffffff);
  EXPECT_EQ(Found(0, 4 * kLeafHeap),
            "0+1:2 32+253:3 320+254:4 640+100000:5 3145728+21474836480:"
            "16777215 ");
}

TEST_F(LiveBlocksTest, FindsThoseThatBeginInARange) {
  Put(kHeap, 1000, 2);
  Put(kHeap + 1024, 16, 3);
  Put(kHeap + 2048, 16, 4);
  EXPECT_EQ(Found(0, 1024), "0+1000:2 ");
  EXPECT_EQ(Found(1024, 2048), "1024+16:3 ");
  // The second slot of the first block is not one.
  EXPECT_EQ(Found(32, 1024), "");
}

TEST_F(LiveBlocksTest, FindsABlockInTheLastGranuleOfALeaf) {
  Put(kHeap + kLeafHeap - 32, 5ULL << 32, 7);
  EXPECT_EQ(Found(0, kLeafHeap), "1048544+21474836480:7 ");
}

TEST_F(LiveBlocksTest, KnowsWhereBlocksEverWere) {
  auto blocks = Open();
  EXPECT_FALSE(*blocks->EverUsed(kHeap, kHeap + kLeafHeap));
  Put(kHeap + kLeafHeap / 2, 16, 3);
  *Leaf(kHeap + kLeafHeap / 2) = 0;
  EXPECT_TRUE(*blocks->EverUsed(kHeap, kHeap + kLeafHeap));
  EXPECT_TRUE(
      *blocks->EverUsed(kHeap + kLeafHeap / 2, kHeap + kLeafHeap / 2 + 4096));
  // 32 KiB of heap have one page of the map.
  EXPECT_FALSE(*blocks->EverUsed(kHeap, kHeap + kLeafHeap / 4));
  EXPECT_FALSE(*blocks->EverUsed(kHeap + 3 * kLeafHeap / 4, kHeap + kLeafHeap));
}

TEST_F(LiveBlocksTest, IsRefusedByWhatMakesNoSense) {
  const auto refused = [](const ObjectMapPlace& place) {
    return LiveBlocks::Open(static_cast<std::uint32_t>(getpid()), "/proc/self",
                            place)
        .status()
        .code();
  };
  EXPECT_EQ(refused({}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(refused({4096, 63, 5}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(refused({4096, 24, 0}), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(refused({4096, 24, 5}), absl::StatusCode::kOk);
  // A leaf that is none.
  directory_[kHeap >> kLeafShift] = 0x10;
  const auto visited =
      Open()->Visit(kHeap, kHeap + kLeafHeap, [](const LiveBlock&) { FAIL(); });
  EXPECT_TRUE(visited.ok() || !visited.message().empty());
  EXPECT_FALSE(Open()->Visit(0, ~0ULL, [](const LiveBlock&) {}).ok());
}

TEST(PageMapTest, KnowsWhatIsInMemory) {
  auto* const memory = static_cast<char*>(
      mmap(nullptr, 4 * kSmallPageBytes, PROT_READ | PROT_WRITE,
           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  madvise(memory, 4 * kSmallPageBytes, MADV_NOHUGEPAGE);
  memory[2 * kSmallPageBytes] = 1;
  auto pages = PageMap::Open("/proc/self");
  ASSERT_TRUE(pages.ok());
  std::vector<PageState> states;
  ASSERT_TRUE(
      (*pages)->Read(reinterpret_cast<std::uint64_t>(memory), 4, &states).ok());
  EXPECT_EQ(states,
            (std::vector<PageState>{PageState::kAbsent, PageState::kAbsent,
                                    PageState::kResident, PageState::kAbsent}));
  munmap(memory, 4 * kSmallPageBytes);
  EXPECT_FALSE(PageMap::Open("/proc/none").ok());
}

}  // namespace
}  // namespace heapledger::collector
