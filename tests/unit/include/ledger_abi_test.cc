// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstddef>
#include <string>

#include "heapledger/ledger/layout.h"
#include "heapledger/ledger/name.h"

namespace heapledger::ledger {
namespace {

// Offsets that a reader built earlier relies on: a change here is a change of
// kAbiVersion.
TEST(LayoutTest, KeepsTheOffsetsOfVersionTwo) {
  EXPECT_EQ(kAbiVersion, 2U);
  EXPECT_EQ(offsetof(Header, magic), 0U);
  EXPECT_EQ(offsetof(Header, abi_version), 8U);
  EXPECT_EQ(offsetof(Header, cap_bytes), 16U);
  EXPECT_EQ(offsetof(Header, pid), 24U);
  EXPECT_EQ(offsetof(Header, boot_id), 80U);
  EXPECT_EQ(offsetof(ModuleRecord, path), 96U);
  EXPECT_EQ(offsetof(CounterCell, freed_bytes), 16U);
}

TEST(LayoutTest, ChunksOfCallsitesAndOfCountersCoverTheSameIds) {
  EXPECT_EQ(kRecordsPerChunk<CallsiteRecord>, kRecordsPerChunk<CounterCell>);
}

TEST(StackNodeTest, PacksParentAndFrameWithoutLoss) {
  const std::uint64_t word = StackNode::Pack(0xfedcba98U, 0x76543210U);
  EXPECT_EQ(StackNode::Parent(word), 0xfedcba98U);
  EXPECT_EQ(StackNode::Frame(word), 0x76543210U);
}

TEST(NameBuilderTest, JoinsTextAndNumbers) {
  char buffer[kNameBytes];
  NameBuilder name(buffer, sizeof buffer);
  name.Number(0).Text("-").Number(18446744073709551615ULL).Text(kLedgerSuffix);
  EXPECT_EQ(std::string(buffer), "0-18446744073709551615.ledger");
  EXPECT_EQ(name.size(), std::string(buffer).size());
  EXPECT_FALSE(name.overflowed());
}

TEST(NameBuilderTest, SaysWhenTheTextDoesNotFitAndStaysTerminated) {
  char buffer[4];
  NameBuilder name(buffer, sizeof buffer);
  name.Text("abcdef");
  EXPECT_TRUE(name.overflowed());
  EXPECT_EQ(std::string(buffer), "abc");
}

}  // namespace
}  // namespace heapledger::ledger
