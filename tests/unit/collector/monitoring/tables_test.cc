// SPDX-License-Identifier: Apache-2.0
// The tables against each other: a name that one of them uses stands in
// another.
#include "collector/monitoring/tables.h"

#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <string>

#include "collector/monitoring/files.h"

namespace heapledger::collector::monitoring {
namespace {

// Names of series in an expression: what is in quotes, braces or brackets, and
// the labels of by, on, ignoring and group_left are none.
std::set<std::string> SeriesIn(std::string_view expr) {
  std::string text(expr);
  for (const char* drop :
       {"\"[^\"]*\"", "\\$\\{[a-z_]+\\}", "\\{[^}]*\\}", "\\[[^\\]]*\\]",
        "\\b(by|on|ignoring|group_left) *\\([^)]*\\)"}) {
    text = std::regex_replace(text, std::regex(drop), " ");
  }
  std::set<std::string> names;
  const std::regex name(
      "[a-zA-Z_][a-zA-Z0-9_:]*(?= *[^a-zA-Z0-9_:( ]| *$| +[^(])");
  for (std::sregex_iterator it(text.begin(), text.end(), name), end; it != end;
       ++it) {
    const std::string word = it->str();
    if (word.find('_') == std::string::npos && word != "up") continue;
    names.insert(word);
  }
  return names;
}

std::set<std::string> Known() {
  std::set<std::string> known = {"up"};
  for (const Metric& metric : Metrics()) known.emplace(metric.name);
  for (const RecordingRule& rule : RecordingRules()) known.emplace(rule.record);
  return known;
}

void ExpectKnown(std::string_view expr, std::string_view where) {
  static const std::set<std::string> known = Known();
  const std::set<std::string> names = SeriesIn(expr);
  for (const std::string& name : names) {
    EXPECT_TRUE(known.contains(name)) << name << " in " << where;
  }
}

TEST(TablesTest, TheReaderOfExpressionsFindsWhatIsThere) {
  EXPECT_EQ(SeriesIn("max by (a_b, c) (x_y{l=\"m_n\"}) > ${t_u} and "
                     "rate(z_total[5m]) * on (i_j) group_left () memory:q"),
            (std::set<std::string>{"x_y", "z_total"}));
  EXPECT_EQ(SeriesIn("absent(up{job=\"x\"})"), std::set<std::string>{"up"});
}

TEST(TablesTest, EveryRuleReadsWhatIsThere) {
  for (const RecordingRule& rule : RecordingRules()) {
    ExpectKnown(rule.expr, rule.record);
  }
  for (const Alert& alert : AllAlerts()) ExpectKnown(alert.expr, alert.name);
  for (const Panel& panel : Panels()) {
    for (const Query& query : panel.queries) {
      ExpectKnown(query.expr, panel.title);
    }
  }
}

TEST(TablesTest, EveryMetricIsReadBySomething) {
  std::string all;
  for (const RecordingRule& rule : RecordingRules()) all += rule.expr;
  for (const Alert& alert : AllAlerts()) all += alert.expr;
  all += DashboardFile(Settings());
  for (const Metric& metric : Metrics()) {
    EXPECT_NE(all.find(metric.name), std::string::npos) << metric.name;
  }
}

TEST(TablesTest, EveryThresholdIsAskedBySomeAlert) {
  std::string all;
  for (const Alert& alert : AllAlerts()) all += alert.expr;
  for (const Threshold& threshold : Thresholds()) {
    EXPECT_NE(all.find("${" + std::string(threshold.name) + "}"),
              std::string::npos)
        << threshold.name;
  }
}

TEST(TablesTest, EveryAlertIsCompleteAndAlone) {
  std::set<std::string_view> names;
  for (const Alert& alert : AllAlerts()) {
    EXPECT_TRUE(names.insert(alert.name).second) << alert.name;
    for (const std::string_view text :
         {alert.expr, alert.hold, alert.summary, alert.description,
          alert.action, alert.runbook.means, alert.runbook.look,
          alert.runbook.act, alert.runbook.quiet}) {
      EXPECT_FALSE(text.empty()) << alert.name;
    }
    // A link preview or a pager shows one line.
    EXPECT_EQ(alert.summary.find('\n'), std::string_view::npos) << alert.name;
  }
}

TEST(TablesTest, InhibitionsNameAlerts) {
  std::set<std::string> names;
  for (const Alert& alert : AllAlerts()) names.emplace(alert.name);
  for (const Inhibition& inhibition : Inhibitions()) {
    const std::string both =
        std::string(inhibition.sources) + "|" + std::string(inhibition.targets);
    const std::regex word("[^|]+");
    for (std::sregex_iterator it(both.begin(), both.end(), word), end;
         it != end; ++it) {
      EXPECT_TRUE(names.contains(it->str())) << it->str();
    }
  }
}

// A rule reads the records of its own group as they are in this round only if
// they stand before it.
TEST(TablesTest, ARuleStandsBehindWhatItReads) {
  std::set<std::string> below;
  const auto rules = RecordingRules();
  for (std::size_t i = rules.size(); i-- > 0;) {
    if (rules[i].pace == Pace::kFast) {
      for (const std::string& name : SeriesIn(rules[i].expr)) {
        EXPECT_FALSE(below.contains(name))
            << rules[i].record << " reads " << name;
      }
      below.emplace(rules[i].record);
    }
  }
}

// Several jobs read one process: what joins series must not see the job.
TEST(TablesTest, RulesReadSeriesOfTheCollectorThroughAnAggregate) {
  const std::regex by("(max|min|sum) by \\(");
  for (const RecordingRule& rule : RecordingRules()) {
    bool raw = false;
    for (const std::string& name : SeriesIn(rule.expr)) {
      raw |= name.find(':') == std::string::npos;
    }
    if (raw) {
      EXPECT_TRUE(std::regex_search(rule.expr.begin(), rule.expr.end(), by))
          << rule.record;
    }
  }
}

}  // namespace
}  // namespace heapledger::collector::monitoring
