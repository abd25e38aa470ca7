// SPDX-License-Identifier: Apache-2.0
#include "collector/monitoring/settings.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "collector/monitoring/files.h"

namespace heapledger::collector::monitoring {
namespace {

Settings Good() {
  Settings settings;
  settings.runbook_base = "https://example.org/runbooks";
  return settings;
}

TEST(SettingsTest, TheDefaultsAreAccepted) {
  EXPECT_TRUE(CheckSettings(Good()).ok());
}

TEST(SettingsTest, NonsenseIsRefusedWithWhatWouldBeRight) {
  struct Case {
    std::function<void(Settings&)> spoil;
    std::string why;
  };
  const std::vector<Case> cases = {
      {[](Settings& s) { s.job_prefix = "a b"; }, "job prefix 'a b'"},
      {[](Settings& s) { s.job_prefix = ""; }, "job prefix"},
      {[](Settings& s) { s.targets = {}; }, "no target"},
      {[](Settings& s) { s.targets = {"host"}; }, "is no HOST:PORT"},
      {[](Settings& s) {
         s.targets = {"a:1", ":9797"};
       },
       "is no HOST:PORT"},
      {[](Settings& s) { s.targets = {"::1:9797"}; }, "is no HOST:PORT"},
      {[](Settings& s) { s.targets = {"h:port"}; }, "is no HOST:PORT"},
      {[](Settings& s) { s.alertmanager = "http://h:1/"; }, "Alertmanager"},
      {[](Settings& s) { s.webhook = "ftp://h"; }, "webhook"},
      {[](Settings& s) { s.webhook = "http://"; }, "webhook"},
      {[](Settings& s) { s.dead_man = "h"; }, "dead man's URL"},
      {[](Settings& s) { s.runbook_base = "h/a b"; }, "runbook base"},
      {[](Settings& s) { s.runbook_base = ""; }, "runbook base"},
      {[](Settings& s) { s.runbook_base = "http://h/\"x"; }, "runbook base"},
      {[](Settings& s) { s.secrets = "secrets"; }, "absolute path"},
      {[](Settings& s) { s.teams["ops"] = "x"; }, "team 'ops'"},
      {[](Settings& s) { s.teams["development"] = ""; }, "one line"},
      {[](Settings& s) { s.slack_channel = "a\nb"; }, "channel"},
      {[](Settings& s) { s.limits["x"] = 0; }, "above 0 bytes"},
      {[](Settings& s) { s.limits[""] = 1; }, "must name a program"},
      {[](Settings& s) { s.thresholds["none"] = 1; }, "no threshold 'none'"},
      {[](Settings& s) { s.thresholds["leak_bytes"] = 0; }, "above 0"},
      {[](Settings& s) { s.thresholds["leak_bytes"] = -1; }, "above 0"},
      {[](Settings& s) { s.thresholds["leak_bytes"] = std::nan(""); },
       "above 0"},
      {[](Settings& s) { s.thresholds["usage_fatal"] = 1; }, "below 1"},
      {[](Settings& s) { s.thresholds["usage_early"] = 0.8; },
       "'usage_high' must be above usage_early, which is 0.8"},
      {[](Settings& s) { s.thresholds["usage_fatal"] = 0.9; },
       "must be above usage_critical"},
      {[](Settings& s) { s.thresholds["growth_critical"] = 1; },
       "must be above growth_high"},
      {[](Settings& s) { s.thresholds["exhaustion_predicted"] = 60; },
       "must be above exhaustion_imminent"},
  };
  for (const Case& one : cases) {
    Settings settings = Good();
    one.spoil(settings);
    const absl::Status status = CheckSettings(settings);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << one.why;
    EXPECT_NE(std::string(status.message()).find(one.why), std::string::npos)
        << status.message();
  }
}

TEST(SettingsTest, ABaselineMayBeAnyMultiple) {
  Settings settings = Good();
  settings.thresholds["baseline_ratio"] = 1.5;
  EXPECT_TRUE(CheckSettings(settings).ok());
}

TEST(SettingsTest, AnIpv6TargetStandsInBrackets) {
  Settings settings = Good();
  settings.targets = {"[::1]:9797", "host-1.example.org:9797"};
  EXPECT_TRUE(CheckSettings(settings).ok());
}

TEST(SettingsTest, NumbersAreWrittenWithoutAnExponent) {
  EXPECT_EQ(NumberText(10485760), "10485760");
  EXPECT_EQ(NumberText(1099511627776), "1099511627776");
  EXPECT_EQ(NumberText(0.7), "0.7");
  EXPECT_EQ(NumberText(0.085), "0.085");
}

TEST(SettingsTest, PlaceholdersTakeTheUsersValueFirst) {
  Settings settings = Good();
  EXPECT_EQ(Fill(settings, "x > ${usage_high} and y"), "x > 0.8 and y");
  settings.thresholds["usage_high"] = 0.85;
  EXPECT_EQ(Fill(settings, "${usage_high}${usage_early}"), "0.850.7");
  settings.job_prefix = "mem";
  EXPECT_EQ(Fill(settings, "${jobs} ${memory_job}"),
            "mem-(memory|python|gc|callsites) mem-memory");
  EXPECT_EQ(Fill(settings, "{{ $value }} $on"), "{{ $value }} $on");
}

TEST(SettingsTest, ALimitOfTheUsersJoinsThatOfTheCollector) {
  Settings settings = Good();
  EXPECT_EQ(RecordingRulesFile(settings).find("own_"), std::string::npos);
  settings.limits["a\"b"] = 4096;
  const std::string text = RecordingRulesFile(settings);
  EXPECT_NE(text.find("or memory:own_limit_bytes"), std::string::npos);
  EXPECT_NE(text.find("or memory:own_headroom_bytes"), std::string::npos);
  EXPECT_NE(text.find(R"({process=\"a\\\"b\"}) + 4096)"), std::string::npos)
      << text.substr(0, 900);
}

}  // namespace
}  // namespace heapledger::collector::monitoring
