// SPDX-License-Identifier: Apache-2.0
#include "collector/obituary/obituary.h"

#include <gtest/gtest.h>

#include <csignal>
#include <string>

namespace heapledger::collector::obituary {
namespace {

// One with something in every field.
Obituary Full() {
  Obituary o;
  o.ending = {EndKind::kCrash, SIGSEGV, std::nullopt, true, true, {"because"}};
  o.died_realtime_ns = 123;
  o.died_exactly = true;
  o.sealed_by = "the test";
  o.watched_since_ns = 100;
  CgroupFacts cgroup;
  cgroup.realtime_ns = 120;
  cgroup.cgroup = "/x";
  cgroup.version = 2;
  cgroup.limits = {{"/x", 1000}, {"/", 2000}};
  cgroup.usage_bytes = 999;
  cgroup.peak_bytes = 1000;
  cgroup.failures = 0;
  cgroup.oom_kills = 1;
  cgroup.stat = {{"anon", 900}};
  o.cgroup_before = cgroup;
  o.cgroup_after = cgroup;
  OomReport oom;
  oom.realtime_ns = 122;
  oom.invoked_by = "y";
  oom.constraint = "CONSTRAINT_MEMCG";
  oom.limit_cgroup = "/x";
  oom.task_cgroup = "/x/y";
  oom.usage_bytes = 5;
  oom.limit_bytes = 6;
  oom.failures = 7;
  oom.tasks = {{1, 2, "task", 3, 4, -5}};
  oom.all_tasks = 8;
  oom.killed = {{9, 0, "killed", 10, 0, 0}};
  o.oom = oom;
  o.host_before = HostState{1, 2, 3, 4, 5, 6, 7};
  o.host_after = HostState{8, 9, 10, 11, 12, std::nullopt, 0};
  o.last_resident_bytes = 777;
  o.others = {{"big", 55, 66, true}};
  CallsiteColumn site = {"0123456789abcdef", "f", "prog", "/src/f.cc", 42};
  o.pressure = {{11, 0.93, 0.9, 1000, 900, 800, {{site, 700, 7}}}};
  o.events = {{5, "mark", "mark a"}};
  o.suspects = {{"suspects", nlohmann::ordered_json::array()}};
  o.remarks = {"nothing is missing"};
  o.callsites = {site};
  return o;
}

Series Rows() {
  Series series;
  for (std::uint64_t i = 1; i < 5; ++i) {
    const std::uint64_t values[] = {i, 2 * i, 3 * i, 4 * i, 5 * i};
    series.Add(i, values);
  }
  return series;
}

std::string Refusal(std::vector<HlSection> sections) {
  const auto read = FromSections(sections, "F.hl");
  EXPECT_FALSE(read.ok());
  EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument);
  const std::string message(read.status().message());
  EXPECT_EQ(message.rfind("F.hl ", 0), 0U) << message;
  return message;
}

TEST(ObituaryTest, EveryFieldComesBack) {
  const Obituary before = Full();
  const auto after = FromSections(Sections(before, Rows().Encode()), "F.hl");
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(ObituaryJson(*after), ObituaryJson(before));
  EXPECT_EQ(after->ending.kind, EndKind::kCrash);
  EXPECT_EQ(after->oom->tasks[0].score_adjustment, -5);
  EXPECT_EQ(after->cgroup_before->failures, 0U);
  EXPECT_EQ(after->host_after->stalled_some_us, std::nullopt);
  EXPECT_EQ(after->host_after->stalled_full_us, 0U);
  EXPECT_EQ(after->pressure[0].top[0].site.line, 42U);
  EXPECT_EQ(after->history, Rows().Rows());
  EXPECT_EQ(after->At(3, Column::kCgroup), 16U);
}

TEST(ObituaryTest, EveryFieldIsWritten) {
  // So that a field that is forgotten in the list shows above.
  const auto json = ObituaryJson(Full());
  EXPECT_EQ(json.size(), 17U) << json.dump(1);
  EXPECT_EQ(json["oom_report"].size(), 11U);
  EXPECT_EQ(json["cgroup_before"].size(), 9U);
  EXPECT_EQ(json["host_before"].size(), 7U);
  EXPECT_EQ(json["pressure"][0].size(), 7U);
}

TEST(ObituaryTest, ASnapshotWithoutTheSectionIsNone) {
  const auto read = FromSections({}, "F.hl");
  EXPECT_TRUE(absl::IsNotFound(read.status()));
}

TEST(ObituaryTest, WhatIsMissingOrOfAnotherTypeStaysEmpty) {
  const std::vector<HlSection> sections = {
      {kObituarySection,
       R"({"ending": 5, "died_realtime_ns": -1, "others": [{"pid": "x"}, 7],
           "oom_report": [], "events": {}, "leaks": 3, "sealed_by": null,
           "last_resident_bytes": 1e300, "cgroup_before": {"failures": "x"}})"}};
  const auto read = FromSections(sections, "F.hl");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->ending.kind, EndKind::kUnknown);
  EXPECT_EQ(read->died_realtime_ns, 0U);
  EXPECT_EQ(read->last_resident_bytes, 0U);
  EXPECT_EQ(read->others.size(), 1U);
  EXPECT_FALSE(read->oom);
  EXPECT_TRUE(read->cgroup_before);
  EXPECT_FALSE(read->cgroup_before->failures);
  EXPECT_TRUE(read->suspects.is_null());
}

TEST(ObituaryTest, RefusesWhatCannotBeOne) {
  EXPECT_NE(Refusal({{kObituarySection, "{"}}).find("no JSON"),
            std::string::npos);
  EXPECT_NE(Refusal({{kObituarySection, "[]"}}).find("no JSON"),
            std::string::npos);
  EXPECT_NE(Refusal({{kObituarySection, R"({"x":)" + std::string(1000, '[') +
                                            std::string(1000, ']') + "}"}})
                .find("no JSON"),
            std::string::npos);
  EXPECT_NE(
      Refusal({{kObituarySection, std::string(5 << 20, ' ')}}).find("too long"),
      std::string::npos);
  EXPECT_NE(Refusal({{kObituarySection, "{}"}, {kHistorySection, "\x01"}})
                .find("of its history"),
            std::string::npos);
  EXPECT_NE(
      Refusal({{kObituarySection, "{}"}, {kHistorySection, Rows().Encode()}})
          .find("other columns"),
      std::string::npos);
}

TEST(ObituaryTest, TextThatIsNoUtf8IsReplaced) {
  Obituary o;
  o.sealed_by = "a\xff";
  const auto read = FromSections(Sections(o, Series().Encode()), "F.hl");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->sealed_by, "a\xef\xbf\xbd");
}

}  // namespace
}  // namespace heapledger::collector::obituary
