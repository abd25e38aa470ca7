// SPDX-License-Identifier: Apache-2.0
#include "preload/unwind/load_segment.h"

#include <elf.h>
#include <gtest/gtest.h>

#include <cstring>

namespace heapledger::preload::unwind {
namespace {

class LoadSegmentTest : public ::testing::Test {
 protected:
  LoadSegmentTest() {
    std::memcpy(header_.e_ident, ELFMAG, SELFMAG);
    header_.e_phoff = sizeof header_;
    header_.e_phentsize = sizeof(Elf64_Phdr);
    header_.e_phnum = 3;
    segments_[0] = Segment(0, 0x1000, PF_R);
    segments_[1] = Segment(0x2000, 0x1000, PF_X);
    segments_[2] = Segment(0x4000, 0x800, PF_R);
  }

  static Elf64_Phdr Segment(std::uint64_t address, std::uint64_t bytes,
                            std::uint32_t flags) {
    Elf64_Phdr segment = {};
    segment.p_type = PT_LOAD;
    segment.p_flags = flags;
    segment.p_vaddr = address;
    segment.p_memsz = bytes;
    return segment;
  }

  ByteRange Find(std::uint64_t offset) {
    std::memcpy(page_, &header_, sizeof header_);
    std::memcpy(page_ + sizeof header_, segments_, sizeof segments_);
    return FindLoadSegment({start(), start() + 0x5000}, start() + offset);
  }
  std::uint64_t start() const { return reinterpret_cast<std::uint64_t>(page_); }

  alignas(4096) std::uint8_t page_[4096] = {};
  Elf64_Ehdr header_ = {};
  Elf64_Phdr segments_[3] = {};
};

TEST_F(LoadSegmentTest, FindsTheReadableSegmentOfAnAddress) {
  EXPECT_EQ(Find(0x4700).start, start() + 0x4000);
  EXPECT_EQ(Find(0x4700).end, start() + 0x4800);
  EXPECT_EQ(Find(0x10).end, start() + 0x1000);
}

TEST_F(LoadSegmentTest, HolesAndUnreadableSegmentsHaveNoRange) {
  EXPECT_EQ(Find(0x1800).size(), 0U);
  EXPECT_EQ(Find(0x2100).size(), 0U);
  EXPECT_EQ(Find(0x4800).size(), 0U);
}

TEST_F(LoadSegmentTest, PositionDependentModulesHaveNoBias) {
  segments_[0].p_vaddr += 0x400000;
  segments_[2].p_vaddr += 0x400000;
  EXPECT_EQ(Find(0x4000).start, start() + 0x4000);
}

TEST_F(LoadSegmentTest, DamagedHeadersHaveNoRange) {
  segments_[2].p_memsz = ~0ULL;
  EXPECT_EQ(Find(0x4000).size(), 0U);
  header_.e_phnum = 0xffff;
  EXPECT_EQ(Find(0x4900).size(), 0U);
  header_.e_phoff = 5000;
  EXPECT_EQ(Find(0x10).size(), 0U);
  header_.e_phoff = sizeof header_;
  header_.e_ident[0] = 0;
  EXPECT_EQ(Find(0x10).size(), 0U);
}

}  // namespace
}  // namespace heapledger::preload::unwind
