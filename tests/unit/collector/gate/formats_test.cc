// SPDX-License-Identifier: Apache-2.0
// Every format says what the judgement says. That the files are well formed by
// their schemas is tested with other readers (integration/gate).
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "collector/gate/sentences.h"
#include "collector/gate/writers.h"
#include "tests/unit/collector/gate/round_maker.h"

namespace heapledger::collector::gate {
namespace {

using nlohmann::json;
using std::chrono::day;
using std::chrono::month;
using std::chrono::year;
using testing::Leak;
using testing::RoundOf;

std::size_t Count(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos;
       at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

class FormatsTest : public ::testing::Test {
 protected:
  FormatsTest() {
    facts_.program = "prog";
    facts_.version = "1.2.3";
    facts_.source_root = "/src";
    facts_.ended_realtime_ns = 1'700'000'000'000'000'000;
    facts_.seconds = 1.5;
    // One of every state.
    round_ = RoundOf({Leak(1, "fresh", {64, 1}, {32, 2}),
                      Leak(2, "known", {10, 1}), Leak(3, "hushed", {5, 1})});
    baseline_[Fingerprint(2)] = {{4, 1}, "known", "leak.c:12"};
    baseline_[Fingerprint(9)] = {{7, 1}, "gone", "old.c:1"};
    EXPECT_TRUE(
        suppressions_
            .Add("# reason=by design\nleak:hushed\nleak:nobody\n", "x.supp")
            .ok());
    facts_.baseline = "base.txt";
  }
  void Judged() {
    constexpr Day kToday{year(2026), month(11), day(22)};
    judgement_ =
        Judge(std::vector{round_}, policy_, suppressions_, baseline_, kToday);
  }

  Round round_;
  Policy policy_;
  Suppressions suppressions_;
  Baseline baseline_;
  GateFacts facts_;
  Judgement judgement_;
};

TEST_F(FormatsTest, TheVerdictIsOneSentence) {
  Judged();
  EXPECT_EQ(VerdictSentence(judgement_),
            "leak: 96 B in 3 blocks lost at 1 callsite; callsites 1 known, 1 "
            "suppressed; 1 process judged");
  round_.missing.push_back({7, "tool", "it is linked statically"});
  round_.callsites.erase(Fingerprint(1));
  Judged();
  EXPECT_EQ(VerdictSentence(judgement_),
            "not measured: tool (pid 7): it is linked statically; callsites 1 "
            "known, 1 suppressed; 1 process judged, 1 not measured");
  round_ = RoundOf({});
  Judged();
  EXPECT_EQ(VerdictSentence(judgement_), "pass: no new leak; 1 process judged");
}

TEST_F(FormatsTest, BudgetsAreNamedInTheVerdict) {
  policy_.max_peak_bytes = 5'000;
  round_ = RoundOf({});
  Judged();
  EXPECT_EQ(VerdictSentence(judgement_),
            "leak: over budget: --max-peak is 5,000 B, found 10,000 B; 1 "
            "process judged");
}

TEST_F(FormatsTest, PlainTextSaysWhatAndWhatNext) {
  Judged();
  EXPECT_EQ(
      PlainText(judgement_, facts_),
      "  new: 96 B in 3 blocks lost by fresh at /src/app/leak.c:12 (64 B "
      "direct, 32 B indirect)\n"
      "    callsite 0000000000000001 in prog (pid 42)\n"
      "    fresh /src/app/leak.c:12\n"
      "    main /src/app/main.c:40\n"
      "  known: 10 B in 1 block lost by known at /src/app/leak.c:12 (10 B "
      "direct, 0 B indirect)\n"
      "    callsite 0000000000000002 in prog (pid 42)\n"
      "    known from the baseline, with 4 B in 1 block then\n"
      "  suppressed: 5 B in 1 block lost by hushed at /src/app/leak.c:12 (5 B "
      "direct, 0 B indirect)\n"
      "    callsite 0000000000000003 in prog (pid 42)\n"
      "    suppressed by x.supp:2: leak:hushed (by design)\n"
      "  fixed: gone at old.c:1, callsite 0000000000000009; drop it with "
      "--update-baseline\n"
      "  rule x.supp:3: leak:nobody covered nothing; remove it if no other "
      "test needs it\n"
      "  next: free it, or suppress it with leak:fresh in a --suppressions "
      "file, or accept it with --baseline base.txt --update-baseline\n");
}

TEST_F(FormatsTest, JunitHasACaseForEverything) {
  round_.missing.push_back({7, "tool", "no shim"});
  Judged();
  const std::string text = JunitText(judgement_, facts_);
  // The program, three callsites, a budget and what was not measured.
  EXPECT_NE(text.find("<testsuite name=\"prog\" tests=\"6\" failures=\"2\" "
                      "errors=\"1\" skipped=\"2\" time=\"1.500\" "
                      "timestamp=\"2023-11-14T22:13:20\">"),
            std::string::npos)
      << text;
  EXPECT_EQ(Count(text, "<testcase "), 6U);
  EXPECT_EQ(Count(text, "<failure "), 2U);
  EXPECT_EQ(Count(text, "<error "), 1U);
  EXPECT_EQ(Count(text, "<skipped "), 2U);
  EXPECT_NE(text.find("unreachable 0000000000000001 fresh"), std::string::npos);
}

TEST_F(FormatsTest, SarifHasAResultForEveryCallsite) {
  Judged();
  const json sarif = json::parse(SarifText(judgement_, facts_));
  EXPECT_EQ(sarif["version"], "2.1.0");
  const json& run = sarif["runs"][0];
  ASSERT_EQ(run["results"].size(), 3U);
  const json& fresh = run["results"][0];
  EXPECT_EQ(fresh["ruleId"], "heapledger/unreachable");
  EXPECT_EQ(run["tool"]["driver"]["rules"][fresh["ruleIndex"].get<int>()]["id"],
            fresh["ruleId"]);
  EXPECT_EQ(fresh["level"], "error");
  EXPECT_EQ(fresh["partialFingerprints"]["heapledgerCallsite/v1"],
            "0000000000000001");
  const json& place = fresh["locations"][0]["physicalLocation"];
  EXPECT_EQ(place["artifactLocation"]["uri"], "app/leak.c");
  EXPECT_EQ(place["artifactLocation"]["uriBaseId"], "SRCROOT");
  EXPECT_EQ(place["region"]["startLine"], 12);
  const json& flow = fresh["codeFlows"][0]["threadFlows"][0]["locations"];
  ASSERT_EQ(flow.size(), 2U);  // outermost first
  EXPECT_EQ(flow[0]["location"]["message"]["text"], "main /src/app/main.c:40");
  EXPECT_EQ(fresh["baselineState"], "new");
  EXPECT_EQ(run["results"][1]["baselineState"], "unchanged");
  EXPECT_EQ(run["results"][1]["level"], "warning");
  EXPECT_TRUE(fresh["suppressions"].empty());
  EXPECT_EQ(run["results"][2]["suppressions"][0]["kind"], "external");
}

TEST_F(FormatsTest, GithubCommandsAreEscapedAndFew) {
  round_ = RoundOf({});
  for (std::uint64_t i = 1; i <= 30; ++i) {
    round_.callsites[Fingerprint(i + 100)] =
        Leak(i + 100, "odd%,:\nname", {i, 1});
  }
  Judged();
  const std::string text = GithubCommands(judgement_, facts_);
  EXPECT_EQ(Count(text, "::error "), 10U);
  EXPECT_EQ(Count(text, "::notice "), 1U);
  EXPECT_EQ(text.rfind("::error file=app/leak.c,line=12,title=heapledger%3A "
                       "new leak::30 B in 1 block lost by odd%25,:",
                       0),
            0U)
      << text;
  EXPECT_NE(text.find("%0A  main /src/app/main.c:40%0Acallsite "),
            std::string::npos);
  // A command a line.
  EXPECT_EQ(std::ranges::count(text, '\n'), 11);
}

TEST_F(FormatsTest, GitlabHasWhatItsDocumentationAsksFor) {
  Judged();
  const json report = json::parse(GitlabText(judgement_, facts_));
  ASSERT_EQ(report.size(), 3U);
  for (const json& entry : report) {
    EXPECT_TRUE(entry["description"].is_string());
    EXPECT_EQ(entry["check_name"], "heapledger/unreachable");
    EXPECT_TRUE(entry["fingerprint"].is_string());
    EXPECT_EQ(entry["location"]["path"], "app/leak.c");
    EXPECT_EQ(entry["location"]["lines"]["begin"], 12);
  }
  EXPECT_EQ(report[0]["severity"], "major");
  EXPECT_EQ(report[1]["severity"], "minor");
  EXPECT_EQ(report[2]["severity"], "info");
}

TEST_F(FormatsTest, JsonHasAllThereIs) {
  round_.missing.push_back({7, "tool", "no shim"});
  Judged();
  const json report = json::parse(JsonText(judgement_, facts_));
  EXPECT_EQ(report["verdict"], "leak");
  EXPECT_EQ(report["findings"].size(), 3U);
  EXPECT_EQ(report["findings"][0]["amount"]["bytes"], 96);
  EXPECT_EQ(report["findings"][0]["stack"].size(), 2U);
  EXPECT_EQ(report["findings"][0]["fails"], true);
  EXPECT_EQ(report["findings"][2]["reason"],
            "suppressed by x.supp:2: leak:hushed (by design)");
  EXPECT_EQ(report["unmeasured"][0]["program"], "tool");
  EXPECT_EQ(report["suppressions"]["rules"][0]["covered"]["bytes"], 5);
  EXPECT_EQ(report["suppressions"]["unused"].size(), 1U);
  EXPECT_EQ(report["budgets"][0]["name"], "max-leaked");
  EXPECT_EQ(report["processes"][0]["fate"], "judged");
}

TEST_F(FormatsTest, MarkdownHoldsNoMarkupOfTheTargets) {
  round_ = RoundOf({Leak(1, "vector<int>|*_`@me`[x](y)", {64, 1})});
  Judged();
  const std::string text = MarkdownText(judgement_, facts_);
  EXPECT_NE(text.find("**leak**: 64 B in 1 block lost at 1 callsite"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("| app/leak.c:12 | 0000000000000001 |"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("<int>"), std::string::npos);
  EXPECT_NE(text.find("| <code>vector&lt;int&gt;&#124;&#42;&#95;&#96;@me"),
            std::string::npos)
      << text;
}

TEST_F(FormatsTest, WhatIsOfferedToPasteCoversTheFinding) {
  for (const char* function :
       {"parse", "ns::C<int>::f(char const*)", "operator()(int)", "a$b",
        "(anonymous namespace)::g()"}) {
    JudgedFinding judged;
    judged.finding = Leak(1, function, {1, 1});
    Suppressions rules;
    ASSERT_TRUE(rules.Add(SuppressionToPaste(judged), "x").ok());
    EXPECT_TRUE(Fits(rules.rules()[0], judged.finding)) << function;
    EXPECT_GT(rules.rules()[0].pattern.size(), 0U);
  }
}

}  // namespace
}  // namespace heapledger::collector::gate
