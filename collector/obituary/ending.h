// SPDX-License-Identifier: Apache-2.0
// How a process ended, from what there is to know: the status that the kernel
// keeps for its parent, its OOM killer's report, the cgroup's count of kills,
// the ledger's own word. What none of them tells is said to be unknown: the
// kernel keeps no record of who sent a signal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collector/obituary/oom_report.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector::obituary {

enum class EndKind { kOomKill, kCrash, kSignal, kExit, kUnknown };

// "oom_kill", "crash", "signal", "exit", "unknown": labels and JSON.
[[nodiscard]] std::string_view EndWord(EndKind kind);
// kUnknown for what is none of them.
[[nodiscard]] EndKind EndOfWord(std::string_view word);

// "SIGSEGV"; "signal 77" for one without a name.
[[nodiscard]] std::string SignalName(int signal);

// A status as waitpid(2) gives it, and who told.
struct WaitStatus {
  int status = 0;
  std::string told_by;  // "the kernel (pidfd)"
};

struct EndFacts {
  // The ledger's own: kExited where the process went through libc's exit.
  ProcessState state = ProcessState::kKilled;
  std::optional<WaitStatus> wait;
  const OomReport* report = nullptr;  // that names the process as killed
  const FaultLine* fault = nullptr;   // of the process
  // Of the process' own cgroup, while it lived and since.
  std::optional<std::uint64_t> oom_kills_before;
  std::optional<std::uint64_t> oom_kills_after;
};

struct Ending {
  EndKind kind = EndKind::kUnknown;
  int signal = 0;                    // 0: none, or not known
  std::optional<int> exit_status{};  // of kExit, where known
  bool core_dumped = false;
  bool likely = false;  // not told outright; see the evidence
  // Sentences without a full stop.
  std::vector<std::string> evidence{};
};

[[nodiscard]] Ending JudgeEnding(const EndFacts& facts);

}  // namespace heapledger::collector::obituary
