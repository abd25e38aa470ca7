// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/run_mode.h"

#include <gtest/gtest.h>

namespace heapledger::collector::cli {
namespace {

using Environment = std::map<std::string, std::string>;

TEST(CheckModeTest, AcceptsWhatGoesTogether) {
  EXPECT_TRUE(CheckMode({}, {}).ok());
  EXPECT_TRUE(CheckMode({.mode = "sampled"}, {}).ok());
  EXPECT_TRUE(CheckMode({.mode = "sampled", .sample_bytes = 1}, {}).ok());
  EXPECT_TRUE(CheckMode({.mode = "dormant", .sample_bytes = 1}, {}).ok());
  EXPECT_TRUE(CheckMode({.mode = "sampled", .stack = "caller"}, {}).ok());
  EXPECT_TRUE(CheckMode({.stack = "adaptive", .budget_percent = 9}, {}).ok());
  EXPECT_TRUE(CheckMode({.mode = "dormant", .stack = "adaptive"}, {}).ok());
}

TEST(CheckModeTest, RefusesWhatMeansNothingAndSaysWhatToAdd) {
  EXPECT_NE(CheckMode({.sample_bytes = 1}, {}).message().find("--mode sampled"),
            absl::string_view::npos);
  EXPECT_NE(CheckMode({.stack = "caller", .budget_percent = 3}, {})
                .message()
                .find("with caller stacks; add --stack adaptive"),
            absl::string_view::npos);
  EXPECT_FALSE(CheckMode({.mode = "sampled", .stack = "adaptive"}, {}).ok());
}

TEST(CheckModeTest, TakesTheEnvironmentForWhatIsNotGiven) {
  const Environment before = {{"HEAPLEDGER_MODE", "sampled"},
                              {"HEAPLEDGER_STACK", "adaptive"}};
  EXPECT_TRUE(CheckMode({.sample_bytes = 1, .stack = "full"}, before).ok());
  EXPECT_TRUE(CheckMode({.mode = "exact", .budget_percent = 1}, before).ok());
  EXPECT_FALSE(CheckMode({}, before).ok());
  EXPECT_TRUE(CheckMode({}, {{"HEAPLEDGER_MODE", ""}}).ok());
}

TEST(AddModeEnvironmentTest, SetsOnlyWhatIsGiven) {
  Environment environment;
  AddModeEnvironment({}, environment);
  EXPECT_TRUE(environment.empty());
  AddModeEnvironment({.mode = "dormant",
                      .sample_bytes = 4096,
                      .stack = "full",
                      .budget_percent = 5},
                     environment);
  EXPECT_EQ(environment, (Environment{{"HEAPLEDGER_MODE", "dormant"},
                                      {"HEAPLEDGER_SAMPLE_BYTES", "4096"},
                                      {"HEAPLEDGER_STACK", "full"},
                                      {"HEAPLEDGER_BUDGET", "5"}}));
}

}  // namespace
}  // namespace heapledger::collector::cli
