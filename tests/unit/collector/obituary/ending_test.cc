// SPDX-License-Identifier: Apache-2.0
#include "collector/obituary/ending.h"

#include <gtest/gtest.h>

#include <csignal>
#include <string>

namespace heapledger::collector::obituary {
namespace {

constexpr int kCore = 0x80;

EndFacts With(int status, ProcessState state = ProcessState::kKilled) {
  EndFacts facts;
  facts.state = state;
  facts.wait = WaitStatus{status, "the test"};
  return facts;
}

bool Says(const Ending& ending, std::string_view words) {
  for (const std::string& sentence : ending.evidence) {
    if (sentence.find(words) != std::string::npos) return true;
  }
  return false;
}

TEST(EndingTest, AnExitHasItsStatus) {
  const Ending ending = JudgeEnding(With(7 << 8, ProcessState::kExited));
  EXPECT_EQ(ending.kind, EndKind::kExit);
  EXPECT_EQ(ending.exit_status, 7);
  EXPECT_FALSE(Says(ending, "system call"));
}

TEST(EndingTest, AnExitPastLibcSaysSo) {
  const Ending ending = JudgeEnding(With(0));
  EXPECT_EQ(ending.kind, EndKind::kExit);
  EXPECT_EQ(ending.exit_status, 0);
  EXPECT_TRUE(Says(ending, "system call"));
}

TEST(EndingTest, ACrashIsToldFromASignalThatIsSent) {
  const Ending crash = JudgeEnding(With(SIGSEGV | kCore));
  EXPECT_EQ(crash.kind, EndKind::kCrash);
  EXPECT_EQ(crash.signal, SIGSEGV);
  EXPECT_TRUE(crash.core_dumped);
  EXPECT_EQ(JudgeEnding(With(SIGABRT)).kind, EndKind::kCrash);
  for (const int signal : {SIGKILL, SIGTERM, SIGINT, SIGHUP}) {
    const Ending sent = JudgeEnding(With(signal));
    EXPECT_EQ(sent.kind, EndKind::kSignal);
    EXPECT_EQ(sent.signal, signal);
    EXPECT_TRUE(Says(sent, "who sent the signal is not known"));
  }
}

TEST(EndingTest, TheKernelsReportIsProofOfAnOomKill) {
  const OomReport report;
  EndFacts facts = With(SIGKILL);
  facts.report = &report;
  EXPECT_EQ(JudgeEnding(facts).kind, EndKind::kOomKill);
  EXPECT_FALSE(JudgeEnding(facts).likely);
  facts.wait.reset();
  EXPECT_EQ(JudgeEnding(facts).kind, EndKind::kOomKill);
  // It had ended by itself before the kill took effect.
  facts.wait = WaitStatus{0, "the test"};
  EXPECT_EQ(JudgeEnding(facts).kind, EndKind::kExit);
}

TEST(EndingTest, ACountOfTheCgroupMakesAnOomKillLikely) {
  EndFacts facts = With(SIGKILL);
  facts.oom_kills_before = 2;
  facts.oom_kills_after = 2;
  EXPECT_EQ(JudgeEnding(facts).kind, EndKind::kSignal);
  facts.oom_kills_after = 3;
  EXPECT_EQ(JudgeEnding(facts).kind, EndKind::kOomKill);
  EXPECT_TRUE(JudgeEnding(facts).likely);
  facts.wait.reset();
  EXPECT_EQ(JudgeEnding(facts).kind, EndKind::kOomKill);
  // Another of the group was killed; this one crashed.
  facts.wait = WaitStatus{SIGSEGV, "the test"};
  EXPECT_EQ(JudgeEnding(facts).kind, EndKind::kCrash);
}

TEST(EndingTest, WithoutAStatusOnlyWhatIsKnownIsSaid) {
  EndFacts facts;
  facts.state = ProcessState::kExited;
  EXPECT_EQ(JudgeEnding(facts).kind, EndKind::kExit);
  EXPECT_EQ(JudgeEnding(facts).exit_status, std::nullopt);
  facts.state = ProcessState::kKilled;
  const Ending unknown = JudgeEnding(facts);
  EXPECT_EQ(unknown.kind, EndKind::kUnknown);
  EXPECT_EQ(unknown.signal, 0);
  EXPECT_TRUE(Says(unknown, "nobody was there"));
  FaultLine fault;
  fault.signal = SIGILL;
  fault.text = "traps: p[1] trap invalid opcode";
  facts.fault = &fault;
  const Ending crash = JudgeEnding(facts);
  EXPECT_EQ(crash.kind, EndKind::kCrash);
  EXPECT_EQ(crash.signal, SIGILL);
  EXPECT_TRUE(crash.likely);
  EXPECT_TRUE(Says(crash, "invalid opcode"));
}

TEST(EndingTest, WordsGoThereAndBack) {
  for (const EndKind kind :
       {EndKind::kOomKill, EndKind::kCrash, EndKind::kSignal, EndKind::kExit}) {
    EXPECT_EQ(EndOfWord(EndWord(kind)), kind);
  }
  EXPECT_EQ(EndOfWord("anything"), EndKind::kUnknown);
  EXPECT_EQ(SignalName(SIGKILL), "SIGKILL");
  EXPECT_EQ(SignalName(250), "signal 250");
}

}  // namespace
}  // namespace heapledger::collector::obituary
