// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/family.h"

#include <gtest/gtest.h>

#include <map>

namespace heapledger::collector::cli {
namespace {

struct Member {
  std::uint32_t pid;
  std::uint32_t parent = 0;  // by fork
  const char* program = "server";
  ProcessState state = ProcessState::kLive;
  std::uint32_t image = 0;
};

std::shared_ptr<const LedgerSnapshot> Ledger(const Member& member) {
  auto snapshot = std::make_shared<LedgerSnapshot>();
  snapshot->identity.pid = member.pid;
  snapshot->identity.start_time_ticks = member.pid * 10;
  snapshot->identity.parent_pid = member.parent;
  snapshot->identity.parent_start_time_ticks = member.parent * 10;
  snapshot->identity.exe = std::string("/usr/bin/") + member.program;
  snapshot->identity.image = member.image;
  snapshot->state = member.state;
  return snapshot;
}

std::vector<std::uint32_t> Pids(
    const std::vector<Member>& members, const std::string& what,
    const std::map<std::uint32_t, std::uint32_t>& parents = {}) {
  Family all;
  for (const Member& member : members) all.push_back(Ledger(member));
  std::vector<std::uint32_t> pids;
  for (const auto& snapshot : FamilyOf(all, what, [&](std::uint32_t pid) {
         const auto found = parents.find(pid);
         return found == parents.end() ? 0 : found->second;
       })) {
    pids.push_back(snapshot->identity.pid);
  }
  return pids;
}

using Numbers = std::vector<std::uint32_t>;

TEST(FamilyTest, HasForkedChildrenAndTheirs) {
  EXPECT_EQ(Pids({{4, 3}, {1}, {3, 1}, {2}}, "1"), (Numbers{1, 3, 4}));
}

TEST(FamilyTest, HasChildrenThatReplacedTheirImage) {
  EXPECT_EQ(Pids({{1}, {5, 0, "job"}, {6, 0, "job"}}, "1", {{5, 1}, {6, 9}}),
            (Numbers{1, 5}));
}

TEST(FamilyTest, HasEveryProcessOfAName) {
  EXPECT_EQ(Pids({{1}, {2, 0, "other"}, {3}}, "server"), (Numbers{1, 3}));
}

TEST(FamilyTest, LeavesTheDeadOutWhereSomeRun) {
  EXPECT_EQ(Pids({{1}, {2, 1, "server", ProcessState::kKilled}}, "1"),
            (Numbers{1}));
  EXPECT_EQ(Pids({{1, 0, "server", ProcessState::kExited},
                  {2, 1, "server", ProcessState::kKilled}},
                 "1"),
            (Numbers{1, 2}));
}

TEST(FamilyTest, TakesTheLastImageOfEach) {
  EXPECT_EQ(Pids({{1, 0, "server", ProcessState::kReplaced, 0},
                  {1, 0, "server", ProcessState::kLive, 1}},
                 "1"),
            (Numbers{1}));
}

TEST(FamilyTest, IsEmptyWhereNobodyFits) {
  EXPECT_EQ(Pids({{1}}, "7"), Numbers{});
  EXPECT_EQ(Pids({{1}}, "nobody"), Numbers{});
}

}  // namespace
}  // namespace heapledger::collector::cli
