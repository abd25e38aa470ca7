// SPDX-License-Identifier: Apache-2.0
#include "collector/leaks/suspect_rules.h"

#include <gtest/gtest.h>

#include <fstream>

namespace heapledger::collector {
namespace {

// Stacks of frames that are named in place, each in a module.
class SuspectRulesTest : public ::testing::Test, public FrameNames {
 public:
  const ResolvedPc& Resolve(const LedgerSnapshot&,
                            std::uint32_t frame) override {
    return names_[frame];
  }

 protected:
  SuspectRulesTest() {
    for (const char* const path :
         {"/usr/bin/server", "/usr/lib/x86_64-linux-gnu/libc.so.6",
          "/usr/lib/x86_64-linux-gnu/libother.so.1", "/opt/server/plugin.so"}) {
      tables_->modules.emplace_back().path = path;
    }
    snapshot_.identity.exe = "/usr/bin/server";
    snapshot_.tables = tables_;
  }

  void Push(const std::string& function, std::uint32_t module) {
    tables_->stacks.push_back(static_cast<std::uint32_t>(names_.size()));
    tables_->frames.push_back({0x10, module, false});
    ResolvedFrame frame;
    frame.function = function;
    names_.push_back({frame});
  }

  SuspectState State() {
    CallsiteInfo callsite;
    callsite.stack_size = static_cast<std::uint32_t>(tables_->stacks.size());
    return StateOf(rules_, snapshot_, callsite, Fingerprint(0x42), *this);
  }

  static constexpr std::uint32_t kExe = 0, kLibc = 1, kOther = 2, kPlugin = 3;
  SuspectRules rules_;

 private:
  std::shared_ptr<SnapshotTables> tables_ = std::make_shared<SnapshotTables>();
  LedgerSnapshot snapshot_;
  std::vector<ResolvedPc> names_;
};

TEST_F(SuspectRulesTest, BelongsToTheFirstFrameThatIsNoPlumbing) {
  Push("malloc", kLibc);
  Push("Handle", kExe);
  EXPECT_EQ(State(), SuspectState::kNew);
}

TEST_F(SuspectRulesTest, IsAThirdPartysWhereASystemLibraryAllocates) {
  Push("malloc", kLibc);
  Push("other_open", kOther);
  Push("Handle", kExe);
  EXPECT_EQ(State(), SuspectState::kThirdParty);
  rules_.own_modules = {"libother.so*"};
  EXPECT_EQ(State(), SuspectState::kNew);
}

TEST_F(SuspectRulesTest, CountsPluginsOutsideTheSystemAsTheProgramsOwn) {
  Push("Load", kPlugin);
  EXPECT_EQ(State(), SuspectState::kNew);
}

TEST_F(SuspectRulesTest, CountsCodeWithoutAModuleAsTheProgramsOwn) {
  Push("", kNoModule);
  EXPECT_EQ(State(), SuspectState::kNew);
}

TEST_F(SuspectRulesTest, PutsSuppressedBeforeKnown) {
  Push("other_open", kOther);
  rules_.known = {0x42};
  EXPECT_EQ(State(), SuspectState::kKnown);
  rules_.suppress = [](std::span<const ResolvedFrame> frames) {
    return frames.size() == 1 && frames[0].function == "other_open";
  };
  EXPECT_EQ(State(), SuspectState::kSuppressed);
}

TEST(BaselineTest, TakesTheFirstWordOfEachLine) {
  const auto known = ParseBaseline(
      "# what we live with\n\n00000000000000ff  Cache::Add\r\n"
      "  0123456789abcdef# since 2024\n0000000000000001",
      "known");
  ASSERT_TRUE(known.ok()) << known.status();
  EXPECT_EQ(*known,
            (std::unordered_set<std::uint64_t>{0xff, 0x0123456789abcdef, 1}));
}

TEST(BaselineTest, NamesTheLineThatIsNoFingerprint) {
  for (const char* const text :
       {"# x\nff\n", "# x\nCache::Add\n", "# x\n0123456789abcdeg\n",
        "# x\n0123456789abcdef0\n", "# x\n-123456789abcdef\n"}) {
    const auto known = ParseBaseline(text, "known");
    ASSERT_FALSE(known.ok()) << text;
    EXPECT_TRUE(known.status().message().find("known:2: ") == 0)
        << known.status();
  }
}

TEST(BaselineTest, SaysWhichFileCannotBeRead) {
  const auto known = ReadBaseline("/nonexistent/known");
  ASSERT_FALSE(known.ok());
  EXPECT_NE(known.status().message().find(
                "read baseline /nonexistent/known: No such file"),
            absl::string_view::npos)
      << known.status();
}

}  // namespace
}  // namespace heapledger::collector
