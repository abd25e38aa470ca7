// SPDX-License-Identifier: Apache-2.0
#include "collector/response/rules_config.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <string>

#include "tests/unit/collector/response/response_fixtures.h"

namespace heapledger::collector::response {
namespace {

using namespace std::chrono_literals;

TEST(RulesConfigTest, ReadsAllThatThereIs) {
  const Rules rules = RulesFrom(R"(
webhook:
  instances: ['db1:9797']
  secret_file: /etc/secret
  expire: 2h
  alerts: {MemoryUsageHigh: none, Mine: high}
rules:
  - name: databases
    match: {process: 'post*', exe: /usr/bin/postgres, cgroup: '/db/*', python: no}
    levels:
      medium:
        usage: {enter: 80%, leave: 60%}
        stall: 20%
        dwell: 7s
        cool_down: 1m
        do:
          - snapshot: {file: /var/lib/%e-%p-%t.hl, max_bytes: 10MiB, retries: 1}
          - trim
          - exec: {command: [/bin/shed, medium], undo: [/bin/unshed], timeout: 10s}
      critical:
        usage: off
        exhaustion: 10m
        do:
          - trim: {cool_down: 5s}
          - signal: {number: USR1, undo: USR2}
          - memory_high: {at: 85%}
          - reclaim: {amount: 64MiB}
          - oom_score: {score: 900}
          - callbacks
          - mark: {name: when-critical, per_hour: 2}
          - stop: {grace: 3s, kill: yes}
  - match: {process: other}
)");
  ASSERT_EQ(rules.rules.size(), 2U);
  EXPECT_EQ(rules.webhook.instances, std::vector<std::string>{"db1:9797"});
  EXPECT_EQ(rules.webhook.secret_file, "/etc/secret");
  EXPECT_EQ(rules.webhook.expire, Duration(2h));
  EXPECT_FALSE(rules.webhook.alerts.contains("MemoryUsageHigh"));
  EXPECT_EQ(rules.webhook.alerts.at("Mine"), Level::kHigh);
  EXPECT_EQ(rules.webhook.alerts.at("MemoryUsageFatal"), Level::kCritical);
  const Rule& rule = rules.rules[0];
  EXPECT_EQ(rule.name, "databases");
  ASSERT_EQ(rule.thresholds.size(), 3U);
  EXPECT_EQ(rule.thresholds[0].enter, 0.8);
  EXPECT_EQ(rule.thresholds[0].leave, 0.6);
  EXPECT_EQ(rule.thresholds[1].quantity, Quantity::kStall);
  EXPECT_EQ(rule.thresholds[1].leave, 0.1);
  EXPECT_EQ(rule.thresholds[2].enter, 600);
  EXPECT_EQ(rule.thresholds[2].leave, 900);
  EXPECT_EQ(rule.DwellOf(Level::kMedium), Duration(7s));
  EXPECT_EQ(rule.DwellOf(Level::kCritical), Duration(500ms));
  ASSERT_EQ(rule.actions.size(), 11U);
  const auto* const snapshot =
      std::get_if<SnapshotAction>(&rule.actions[0].kind);
  ASSERT_NE(snapshot, nullptr);
  EXPECT_EQ(snapshot->max_bytes, 10U << 20);
  EXPECT_EQ(rule.actions[0].retries, 1);
  EXPECT_EQ(rule.actions[0].cool_down, Duration(1min));
  EXPECT_EQ(rule.actions[2].name, "exec:shed");
  EXPECT_EQ(rule.actions[2].timeout, Duration(10s));
  EXPECT_EQ(rule.actions[3].cool_down, Duration(5s));
  EXPECT_EQ(rule.actions[3].level, Level::kCritical);
  const auto* const signal = std::get_if<SignalAction>(&rule.actions[4].kind);
  ASSERT_NE(signal, nullptr);
  EXPECT_EQ(signal->undo, SIGUSR2);
  EXPECT_EQ(rule.actions[9].name, "when-critical");
  EXPECT_EQ(rule.actions[9].per_hour, 2U);
  EXPECT_EQ(rule.actions[10].cool_down, Duration(30s));
  EXPECT_EQ(rules.rules[1].name, "rule-2");
}

TEST(RulesConfigTest, WithoutLevelsThereAreTheFourOfTheAlerts) {
  const Rule rule = RuleFrom("match: {}");
  ASSERT_EQ(rule.thresholds.size(), 4U);
  EXPECT_EQ(rule.thresholds[0].level, Level::kLow);
  EXPECT_EQ(rule.thresholds[0].enter, 0.7);
  EXPECT_EQ(rule.thresholds[3].enter, 0.95);
  EXPECT_TRUE(rule.actions.empty());
}

TEST(RulesConfigTest, TheFirstRuleThatFitsHolds) {
  const Rules rules = RulesFrom(
      "rules: [{name: a, match: {process: 'post*', python: yes}},"
      " {name: b, match: {exe: 'pg_*'}}, {name: c, match: {cgroup: '/x/*'}}]");
  Target target;
  target.process = "postgres";
  EXPECT_EQ(rules.For(target), nullptr);
  target.exe = "/usr/bin/pg_ctl";
  EXPECT_EQ(rules.For(target)->name, "b");
  target.python = true;
  EXPECT_EQ(rules.For(target)->name, "a");
  target = {};
  target.cgroup = "/x/y/z";
  EXPECT_EQ(rules.For(target)->name, "c");
}

TEST(RulesConfigTest, WhatIsWrongIsSaidWithItsLine) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "test: it has no rules"},
      {"rules: [{nam: a}]", "line 1: rules[0].nam is no key known here"},
      {"rules:\n- levels: {urgent: {}}", "levels.urgent is no key"},
      {"rules:\n- levels: {low: {usage: 120%}}",
       "usage is '120%', not a share such as 80%"},
      {"rules:\n- levels: {low: {usage: {leave: 3%}}}",
       "usage has no value to enter at"},
      {"rules:\n- levels: {low: {usage: {enter: 50%, leave: 60%}}}",
       "must be left on the better side of 50.0%"},
      {"rules:\n- levels: {low: {headroom: {enter: 5MiB, leave: 1MiB}}}",
       "must be left on the better side of 5.0MiB"},
      {"rules:\n- levels: {low: {dwell: soon}}", "no time of 0 or more"},
      {"rules:\n- levels: {low: {do: [explode]}}",
       "is 'explode', none of snapshot, mark, trim"},
      {"rules:\n- levels: {low: {do: [{trim: {}, mark: {}}]}}",
       "must be one action"},
      {"rules:\n- levels: {low: {do: [snapshot]}}", "needs a file"},
      {"rules:\n- levels: {low: {do: [{snapshot: {file: x.hl}}]}}",
       "with an absolute path that ends in .hl"},
      {"rules:\n- levels: {low: {do: [{exec: {command: [sh]}}]}}",
       "needs a command with an absolute path"},
      {"rules:\n- levels: {low: {do: [{signal: {number: KILL}}]}}",
       "is 'KILL', none of HUP"},
      {"rules:\n- levels: {low: {do: [{signal: {}}]}}", "has no number"},
      {"rules:\n- levels: {low: {do: [{oom_score: {score: 1001}}]}}",
       "no whole number from 1 to 1000"},
      {"rules:\n- levels: {low: {do: [trim, trim]}}",
       "is the second 'trim' of this level"},
      {"rules:\n- levels: {low: {do: [oom_score]}, high: {do: [oom_score]}}",
       "may stand at one"},
      {"rules:\n- levels: {low: {do: [{trim: {name: a}}]}, "
       "high: {do: [{mark: {name: a}}]}}",
       "'a' is the name of another action"},
      {"rules:\n- levels: {low: {do: [{trim: {name: 'A b'}}]}}",
       "may have a-z"},
      {"rules: [{name: a}, {name: a}]", "has the name 'a' of one above it"},
      {"webhook: {alerts: {A: severe}}\nrules: [{}]",
       "is 'severe', none of none, low"},
      {"webhook: {expire: 1s}\nrules: [{}]", "no time of 1m or more"},
  };
  for (const auto& [text, why] : cases) {
    const auto rules = ParseRules(text, "test");
    ASSERT_FALSE(rules.ok()) << text;
    EXPECT_NE(rules.status().message().find(why), std::string::npos)
        << rules.status().message();
  }
}

}  // namespace
}  // namespace heapledger::collector::response
