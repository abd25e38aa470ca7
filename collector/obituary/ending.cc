// SPDX-License-Identifier: Apache-2.0
#include "collector/obituary/ending.h"

#include <string.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "absl/strings/str_cat.h"

namespace heapledger::collector::obituary {
namespace {

struct KindWord {
  EndKind kind;
  std::string_view word;
};
constexpr std::array<KindWord, 5> kKinds = {{{EndKind::kOomKill, "oom_kill"},
                                             {EndKind::kCrash, "crash"},
                                             {EndKind::kSignal, "signal"},
                                             {EndKind::kExit, "exit"},
                                             {EndKind::kUnknown, "unknown"}}};

// What a program brings on itself; the rest is sent to it.
constexpr std::array kCrashSignals = {SIGSEGV, SIGABRT, SIGBUS, SIGILL,
                                      SIGFPE,  SIGSYS,  SIGTRAP};

bool CgroupCountedAKill(const EndFacts& facts) {
  return facts.oom_kills_before && facts.oom_kills_after &&
         *facts.oom_kills_after > *facts.oom_kills_before;
}

void AddSignal(const EndFacts& facts, int signal, Ending& ending) {
  ending.signal = signal;
  ending.evidence.push_back(absl::StrCat("it was ended by ", SignalName(signal),
                                         ", says ", facts.wait->told_by));
  if (std::ranges::find(kCrashSignals, signal) != kCrashSignals.end()) {
    ending.kind = EndKind::kCrash;
    ending.evidence.push_back(absl::StrCat(
        SignalName(signal),
        " is what a program brings on itself, but anybody who may can send "
        "it"));
  } else {
    ending.kind = EndKind::kSignal;
    ending.evidence.push_back(
        "who sent the signal is not known: the kernel keeps no record of it");
  }
}

void AddLikelyKill(Ending& ending) {
  ending.kind = EndKind::kOomKill;
  ending.likely = true;
  ending.signal = SIGKILL;
  ending.evidence.push_back(
      "its memory cgroup counted a kill of the OOM killer's as it died; the "
      "kernel's report on it could not be read");
}

void AddFault(const FaultLine& fault, Ending& ending) {
  ending.evidence.push_back(absl::StrCat("the kernel's log: ", fault.text));
}

// By the status that its parent gets.
Ending FromStatus(const EndFacts& facts) {
  Ending ending;
  const int status = facts.wait->status;
  if (WIFEXITED(status)) {
    ending.kind = EndKind::kExit;
    ending.exit_status = WEXITSTATUS(status);
    ending.evidence.push_back(absl::StrCat("it exited with status ",
                                           WEXITSTATUS(status), ", says ",
                                           facts.wait->told_by));
    if (facts.state == ProcessState::kKilled) {
      ending.evidence.push_back(
          "it left without libc's exit functions, by the system call itself");
    }
    return ending;
  }
  const int signal = WTERMSIG(status);
  ending.core_dumped = WCOREDUMP(status);
  if (signal == SIGKILL && CgroupCountedAKill(facts)) {
    ending.evidence.push_back(
        absl::StrCat("it was ended by SIGKILL, says ", facts.wait->told_by));
    AddLikelyKill(ending);
    return ending;
  }
  AddSignal(facts, signal, ending);
  if (facts.fault != nullptr) AddFault(*facts.fault, ending);
  return ending;
}

Ending WithoutStatus(const EndFacts& facts) {
  Ending ending;
  if (facts.state == ProcessState::kExited) {
    ending.kind = EndKind::kExit;
    ending.evidence.push_back(
        "it went through libc's exit, says its ledger; with which status "
        "nobody saw");
  } else if (facts.fault != nullptr) {
    ending.kind = EndKind::kCrash;
    ending.signal = facts.fault->signal;
    ending.likely = true;
    AddFault(*facts.fault, ending);
  } else if (CgroupCountedAKill(facts)) {
    AddLikelyKill(ending);
  } else {
    ending.evidence.push_back(
        "its ledger says that it ran, and it does not: a signal ended it, or "
        "it left by the system call itself; nobody was there to see which");
  }
  return ending;
}

}  // namespace

std::string_view EndWord(EndKind kind) {
  return std::ranges::find(kKinds, kind, &KindWord::kind)->word;
}

EndKind EndOfWord(std::string_view word) {
  const auto found = std::ranges::find(kKinds, word, &KindWord::word);
  return found == kKinds.end() ? EndKind::kUnknown : found->kind;
}

std::string SignalName(int signal) {
  const char* const name = sigabbrev_np(signal);
  return name == nullptr ? absl::StrCat("signal ", signal)
                         : absl::StrCat("SIG", name);
}

Ending JudgeEnding(const EndFacts& facts) {
  const bool may_be_killed =
      !facts.wait || (WIFSIGNALED(facts.wait->status) &&
                      WTERMSIG(facts.wait->status) == SIGKILL);
  if (facts.report != nullptr && may_be_killed) {
    Ending ending;
    ending.kind = EndKind::kOomKill;
    ending.signal = SIGKILL;
    ending.evidence.push_back(
        "the kernel's log names it as killed by the OOM killer");
    if (facts.wait) {
      ending.evidence.push_back(
          absl::StrCat("it was ended by SIGKILL, says ", facts.wait->told_by));
    }
    return ending;
  }
  return facts.wait ? FromStatus(facts) : WithoutStatus(facts);
}

}  // namespace heapledger::collector::obituary
