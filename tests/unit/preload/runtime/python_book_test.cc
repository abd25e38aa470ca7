// SPDX-License-Identifier: Apache-2.0
#include "preload/runtime/python_book.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>

#include "tests/support/no_alloc_guard.h"

namespace heapledger::preload {
namespace {

class PythonBookTest : public ::testing::Test {
 protected:
  std::unique_ptr<ledger::PythonRecord> record_ =
      std::make_unique<ledger::PythonRecord>();
  PythonBook book_{record_.get()};
};

TEST_F(PythonBookTest, AddsACollectionToItsGenerationAlone) {
  const testing::NoAllocGuard guard;
  book_.AddCollection(1, 70, 2, 250'000);
  book_.AddCollection(1, 0, 0, 4'000'000'000);
  const ledger::PythonGeneration& second = record_->generations[1];
  EXPECT_EQ(second.collections, 2U);
  EXPECT_EQ(second.collected, 70U);
  EXPECT_EQ(second.uncollectable, 2U);
  EXPECT_EQ(second.duration_ns, 4'000'250'000U);
  EXPECT_EQ(second.durations[1], 1U);
  EXPECT_EQ(second.durations[ledger::kPythonDurations - 1], 1U);
  EXPECT_EQ(record_->generations[0].collections, 0U);
  EXPECT_EQ(record_->collections_round, 4U);
}

TEST_F(PythonBookTest, IgnoresAGenerationThatThereIsNot) {
  book_.AddCollection(3, 1, 1, 1);
  EXPECT_EQ(record_->collections_round, 0U);
}

TEST_F(PythonBookTest, LetsTheInterpretersOwnFiguresWin) {
  book_.AddCollection(0, 5, 0, 1000);
  GenerationFigures figures[ledger::kPythonGenerations] = {};
  figures[0] = {10, 500, 1, 42, 700};
  book_.SetGenerations(figures);
  EXPECT_EQ(record_->generations[0].collections, 10U);
  EXPECT_EQ(record_->generations[0].collected, 500U);
  EXPECT_EQ(record_->generations[0].counter, 42U);
  EXPECT_EQ(record_->generations[0].threshold, 700U);
  EXPECT_EQ(record_->generations[0].duration_ns, 1000U) << "times are ours";
}

TEST_F(PythonBookTest, BoundsBelongToTheShorterBucket) {
  EXPECT_EQ(PythonBook::BucketOf(0), 0U);
  EXPECT_EQ(PythonBook::BucketOf(100'000), 0U);
  EXPECT_EQ(PythonBook::BucketOf(100'001), 1U);
  EXPECT_EQ(PythonBook::BucketOf(3'000'000'000), ledger::kPythonDurations - 2);
  EXPECT_EQ(PythonBook::BucketOf(~std::uint64_t{0}),
            ledger::kPythonDurations - 1);
}

TEST_F(PythonBookTest, CutsNamesAndEndsThemInAZero) {
  const std::string name(100, 'n');
  CountedType types[ledger::kPythonTypes];
  types[0] = {name.data(), name.size(), 0, 9};
  types[1] = {"dict", 4, 0, 3};
  book_.SetTypes(types, 2, 20, 1, 2);
  const auto text = [this](int i) {
    return reinterpret_cast<const char*>(record_->types[i].name);
  };
  EXPECT_EQ(std::strlen(text(0)), ledger::kPythonTypeNameBytes - 1);
  EXPECT_STREQ(text(1), "dict");
  EXPECT_EQ(record_->tracked_objects, 20U);
  EXPECT_EQ(record_->types_round % 2, 0U);
}

TEST_F(PythonBookTest, AShorterNameLeavesNothingOfTheOneBefore) {
  CountedType types[ledger::kPythonTypes];
  types[0] = {"SomethingLonger", 15, 0, 1};
  book_.SetTypes(types, 1, 1, 1, 1);
  types[0] = {"A", 1, 0, 1};
  book_.SetTypes(types, 1, 1, 1, 2);
  EXPECT_STREQ(reinterpret_cast<const char*>(record_->types[0].name), "A");
}

}  // namespace
}  // namespace heapledger::preload
