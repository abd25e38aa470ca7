// SPDX-License-Identifier: Apache-2.0
#include "collector/baseline/baseline_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/temp_directory.h"

namespace heapledger::collector::baseline {
namespace {

Baseline Some() {
  Baseline baseline;
  ProgramBaseline& program = baseline["ser\"ver\n"];
  for (int i = 0; i < 100; ++i) {
    Sample sample;
    sample.realtime_ns = 1'700'000'000'000'000'000 +
                         static_cast<std::uint64_t>(i) * 60'000'000'000;
    sample[Quantity::kRssBytes] = 1e8 + i * 12345.678;
    sample[Quantity::kOpenFds] = i % 3;
    program.current.Add(sample);
    if (i == 50) program.BeginPeriod();
  }
  return baseline;
}

TEST(BaselineFileTest, ReadsWhatItWrote) {
  heapledger::testing::TempDirectory directory;
  const std::string path = directory.Path("b.json");
  ASSERT_TRUE(WriteBaselineFile(path, Some()).ok());
  const auto read = ReadBaselineFile(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(BaselineText(*read), BaselineText(Some()));
  const Period both = read->begin()->second.Both();
  EXPECT_EQ(both.samples, 100U);
  EXPECT_EQ(both.all[0].Quantile(0.95),
            Some().begin()->second.Both().all[0].Quantile(0.95));
  EXPECT_EQ(read->begin()->second.previous.samples, 51U);
}

TEST(BaselineFileTest, AWriteReplacesTheFileAndLeavesNothingElse) {
  heapledger::testing::TempDirectory directory;
  const std::string path = directory.Path("b.json");
  ASSERT_TRUE(WriteBaselineFile(path, {}).ok());
  ASSERT_TRUE(WriteBaselineFile(path, Some()).ok());
  int files = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator(directory.path())) {
    ++files;
  }
  EXPECT_EQ(files, 1);
  EXPECT_EQ(std::filesystem::status(path).permissions(),
            std::filesystem::perms(0600));
  EXPECT_FALSE(WriteBaselineFile(directory.Path("no/b.json"), {}).ok());
}

TEST(BaselineFileTest, AMissingFileIsNotABadOne) {
  EXPECT_EQ(ReadBaselineFile("/nonexistent/b.json").status().code(),
            absl::StatusCode::kNotFound);
}

TEST(BaselineFileTest, AnotherVersionIsRefused) {
  std::string text = BaselineText(Some());
  const std::size_t at = text.find("\"version\":1");
  text.replace(at, 11, "\"version\":2");
  const auto read = ParseBaseline(text, "f");
  EXPECT_NE(read.status().message().find("f: its version is not 1"),
            std::string::npos);
}

TEST(BaselineFileTest, FiguresThatContradictEachOtherAreRefused) {
  const std::string text = BaselineText(Some());
  const std::pair<std::string, std::string> changes[] = {
      {"\"count\":51", "\"count\":52"},
      {"\"zeros\":17", "\"zeros\":18"},
      {"\"buckets\":[[", "\"buckets\":[[9"},
      {"\"begin_ns\":1", "\"begin_ns\":9"},
      {"\"rss_bytes\"", "\"rss\""},
      {"\"slots\":{\"", "\"slots\":{\"9"},
      {"\"previous\"", "\"next\""},
      {"\"format\":\"heapledger baseline\"", "\"format\":3"},
      {"\"min\":1", "\"min\":-1"},
  };
  for (const auto& [from, to] : changes) {
    std::string changed = text;
    const std::size_t at = changed.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    changed.replace(at, from.size(), to);
    EXPECT_FALSE(ParseBaseline(changed, "f").ok()) << to;
  }
  for (const char* bad : {"", "{}", "[]", "null", "{\"format\":"}) {
    EXPECT_FALSE(ParseBaseline(bad, "f").ok()) << bad;
  }
}

}  // namespace
}  // namespace heapledger::collector::baseline
