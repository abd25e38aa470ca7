// SPDX-License-Identifier: Apache-2.0
#include "preload/runtime/type_census.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/no_alloc_guard.h"

namespace heapledger::preload {
namespace {

class TypeCensusTest : public ::testing::Test {
 protected:
  // Counts objects of named types and returns what was chosen.
  std::map<std::string, std::uint64_t> Count(
      const std::vector<std::pair<std::string, int>>& types) {
    names_.clear();
    std::memset(static_cast<void*>(tables_.get()), 0, sizeof *tables_);
    census_.Begin();
    for (const auto& [name, objects] : types) {
      names_.push_back(name);
      for (int i = 0; i < objects; ++i) census_.Add(names_.size() * 16);
    }
    CountedType named[TypeCensus::kNamed];
    std::uint32_t count = 0;
    {
      const testing::NoAllocGuard guard;
      count = census_.Choose(
          [this](std::uint64_t type) { return names_[type / 16 - 1].c_str(); },
          named);
    }
    std::map<std::string, std::uint64_t> result;
    order_.clear();
    for (std::uint32_t i = 0; i < count; ++i) {
      order_.emplace_back(named[i].name, named[i].name_bytes);
      result[order_.back()] = named[i].objects;
    }
    EXPECT_EQ(result.size(), count) << "a name stands twice";
    return result;
  }

  std::unique_ptr<TypeCensus::Tables> tables_ =
      std::make_unique<TypeCensus::Tables>();
  TypeCensus census_{tables_.get()};
  std::vector<std::string> names_;
  std::vector<std::string> order_;
};

TEST_F(TypeCensusTest, CountsObjectsByType) {
  const auto found = Count({{"dict", 3}, {"Order", 5}, {"list", 1}});
  EXPECT_EQ(found, (std::map<std::string, std::uint64_t>{
                       {"dict", 3}, {"Order", 5}, {"list", 1}}));
  EXPECT_EQ(order_, (std::vector<std::string>{"Order", "dict", "list"}));
  EXPECT_EQ(census_.objects(), 9U);
}

TEST_F(TypeCensusTest, AddsTypesOfOneNameTogether) {
  EXPECT_EQ(Count({{"Order", 2}, {"Order", 3}}).at("Order"), 5U);
}

TEST_F(TypeCensusTest, NamesTypesOfCWithoutTheirModule) {
  const auto found = Count({{"collections.deque", 2}, {"odd.", 1}});
  EXPECT_EQ(found, (std::map<std::string, std::uint64_t>{{"deque", 2}}));
}

TEST_F(TypeCensusTest, KeepsTheMostNumerousAndThoseAlwaysAskedFor) {
  std::vector<std::pair<std::string, int>> types = {{"module", 1}};
  for (int i = 0; i < 40; ++i)
    types.push_back({"T" + std::to_string(i), 10 + i});
  const auto found = Count(types);
  EXPECT_EQ(found.size(), TypeCensus::kNamed);
  EXPECT_TRUE(found.contains("module"));
  EXPECT_TRUE(found.contains("T39"));
  EXPECT_TRUE(found.contains("T9"));
  EXPECT_FALSE(found.contains("T8"));
}

TEST_F(TypeCensusTest, LeavesATypeOutOnlyWhenAnotherHasTwiceAsMany) {
  std::vector<std::pair<std::string, int>> types;
  for (int i = 0; i < 32; ++i) types.push_back({"T" + std::to_string(i), 100});
  ASSERT_EQ(Count(types).size(), TypeCensus::kNamed);
  types.push_back({"New", 190});
  EXPECT_FALSE(Count(types).contains("New"));
  types.back().second = 210;
  EXPECT_TRUE(Count(types).contains("New"));
}

TEST_F(TypeCensusTest, CountsEverythingWhenThereAreTooManyTypes) {
  std::memset(static_cast<void*>(tables_.get()), 0, sizeof *tables_);
  census_.Begin();
  for (std::uint64_t type = 1; type <= TypeCensus::kSlots; ++type) {
    census_.Add(type * 16);
  }
  EXPECT_EQ(census_.objects(), TypeCensus::kSlots);
  CountedType named[TypeCensus::kNamed];
  const std::uint32_t count = census_.Choose(
      [](std::uint64_t) -> const char* { return "same"; }, named);
  ASSERT_EQ(count, 1U);
  EXPECT_EQ(named[0].objects, TypeCensus::kFullAt);
}

}  // namespace
}  // namespace heapledger::preload
