// SPDX-License-Identifier: Apache-2.0
#include "collector/leaks/snapshot_series.h"

#include <gtest/gtest.h>

#include "tests/unit/collector/ledger/fake_names.h"

namespace heapledger::collector {
namespace {

using testing::FakeNames;
using testing::SnapshotMaker;

class SnapshotSeriesTest : public ::testing::Test {
 protected:
  // A moment an hour after the one before, with so many live blocks of 100
  // bytes at callsite i.
  void Take(const std::vector<std::uint64_t>& live) {
    SnapshotMaker maker;
    for (std::size_t i = 0; i < live.size(); ++i) {
      HeapCounters& counters = maker.counters(maker.AddCallsite({i + 1}));
      counters.allocated_objects = live[i];
      counters.allocated_bytes = 100 * live[i];
    }
    auto snapshot =
        std::make_shared<LedgerSnapshot>(*maker.At(++hours_ * kSecondNs));
    snapshot->taken_realtime_ns = hours_ * 3600 * kSecondNs;
    moments_.push_back({std::move(snapshot), &names_});
  }

  std::vector<std::string> Named() {
    const auto view = SuspectsBetween(moments_, {});
    EXPECT_TRUE(view.ok()) << view.status();
    std::vector<std::string> functions;
    for (const Suspect& suspect : (*view)->suspects) {
      functions.push_back(suspect.callsite.name.function);
    }
    return functions;
  }

  FakeNames names_;
  std::vector<HeapMoment> moments_;
  std::uint64_t hours_ = 0;
};

TEST_F(SnapshotSeriesTest, NamesWhatRoseEveryTime) {
  //    leak  flat  swing flattens new
  Take({100, 5000, 100, 1000});
  Take({200, 5000, 900, 9000});
  Take({300, 5000, 300, 9900, 50});
  Take({400, 5000, 950, 9990, 90});
  EXPECT_EQ(Named(), std::vector<std::string>{"f1"});
  const auto view = SuspectsBetween(moments_, {});
  const Suspect& suspect = (*view)->suspects[0];
  EXPECT_EQ(suspect.growth->basis, GrowthBasis::kMoments);
  EXPECT_EQ(suspect.growth->window_ns, 3 * 3600 * kSecondNs);
  EXPECT_EQ(suspect.growth->rounds, 3U);
  EXPECT_EQ(suspect.growth->rise_bytes, 30'000U);
  EXPECT_NEAR(suspect.growth->bytes_in_an_hour(), 10'000, 1e-6);
  ASSERT_TRUE(suspect.age);
  EXPECT_EQ(suspect.age->allocated_objects, 300U);
  EXPECT_EQ(suspect.age->older_objects, 300U);
  EXPECT_EQ((*view)->looked_ns, 3 * 3600 * kSecondNs);
}

TEST_F(SnapshotSeriesTest, NeedsThreeMoments) {
  Take({1});
  Take({2});
  const auto view = SuspectsBetween(moments_, {});
  EXPECT_EQ(view.status().message(),
            "growth cannot be told from 2 snapshots; give three or more, or a "
            "running program");
}

TEST_F(SnapshotSeriesTest, RefusesAnotherOrder) {
  Take({100});
  Take({200});
  Take({300});
  std::swap(moments_[1], moments_[2]);
  EXPECT_EQ(SuspectsBetween(moments_, {}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(SnapshotSeriesTest, GivesNoAgesAcrossProcesses) {
  Take({100});
  Take({200});
  Take({300});
  auto other = std::make_shared<LedgerSnapshot>(*moments_[0].snapshot);
  other->identity.pid = 7;
  moments_[0].snapshot = other;
  const auto view = SuspectsBetween(moments_, {});
  ASSERT_EQ((*view)->suspects.size(), 1U);
  EXPECT_FALSE((*view)->suspects[0].age);
}

}  // namespace
}  // namespace heapledger::collector
