// SPDX-License-Identifier: Apache-2.0
#include "collector/logs/log_watch.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <string>

#include "tests/support/temp_directory.h"

namespace heapledger::collector::logs {
namespace {

using std::chrono::milliseconds;

TEST(LogWatchTest, FollowsSeveralLogsAtOnce) {
  heapledger::testing::TempDirectory directory;
  std::vector<std::string> problems;
  LogWatchOptions options;
  options.sources = {directory.Path("a.log"), directory.Path("missing.log")};
  options.interval = milliseconds(5);
  std::ofstream(directory.Path("a.log")) << "MemoryError: before\n";
  auto watch = LogWatch::Make(options, [&problems](const std::string& why) {
    problems.push_back(why);
  });
  ASSERT_TRUE(watch.ok()) << watch.status();
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_NE(problems[0].find("missing.log"), std::string::npos);
  (*watch)->Start();
  std::ofstream(directory.Path("a.log"), std::ios::app) << "MemoryError\n";
  std::ofstream(directory.Path("missing.log")) << "std::bad_alloc\n";
  const auto deadline = std::chrono::steady_clock::now() + milliseconds(10'000);
  while ((*watch)->view()->patterns[1].count < 2 &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_EQ((*watch)->view()->patterns[1].name, "malloc_fail");
  EXPECT_EQ((*watch)->view()->patterns[1].count, 2U);
  EXPECT_TRUE((*watch)->Stop(milliseconds(10'000)));
  ASSERT_EQ((*watch)->sources().size(), 2U);
  EXPECT_EQ((*watch)->sources()[0].lines, 1U);
}

TEST(LogWatchTest, ABadExpressionIsAnError) {
  LogWatchOptions options;
  options.patterns = {{"mine", Severity::kLow, "", {{"(", {}, "", {}}}}};
  EXPECT_FALSE(LogWatch::Make(options, [](const std::string&) {}).ok());
}

}  // namespace
}  // namespace heapledger::collector::logs
