// SPDX-License-Identifier: Apache-2.0
// What can be done about pressure, as plain values. Each kind is a type of its
// own with what it alone needs; the engine asks for the few facts that it
// decides by and never for the kind.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "collector/response/level.h"
#include "collector/response/reading.h"

namespace heapledger::collector::response {

// A number of bytes, or a share of what the kind of action says.
struct Amount {
  double ratio = 0;  // 0: `bytes` holds
  std::uint64_t bytes = 0;

  [[nodiscard]] std::uint64_t Of(std::uint64_t whole) const {
    if (ratio <= 0) return bytes;
    return static_cast<std::uint64_t>(ratio * static_cast<double>(whole));
  }
};

// A .hl file; the name may have %p, %e, %t and %n.
struct SnapshotAction {
  std::string file;
  std::uint64_t max_bytes = std::uint64_t{1} << 30;  // of all its files
};
// A mark beside the ledger.
struct MarkAction {};
// The program's allocator gives back what it keeps.
struct TrimAction {};
// The callbacks that the program registered hear of the level.
struct CallbacksAction {};
struct SignalAction {
  int number = 0;
  int undo = 0;  // 0: none
};
struct ExecAction {
  std::vector<std::string> command;  // an absolute path and its arguments
  std::vector<std::string> undo;     // empty: none
  std::size_t max_output = 64 << 10;
};
// Throttles the program's cgroup (v2's memory.high; on v1 only the soft limit
// where `soft_limit` allows it).
struct MemoryHighAction {
  Amount at{0.9, 0};  // a share of the group's limit
  bool soft_limit = false;
};
// Takes memory from the program's cgroup (v2's memory.reclaim; on v1 all that
// can be had, where `force_empty` allows it).
struct ReclaimAction {
  Amount amount{0.1, 0};  // a share of what the group uses
  bool force_empty = false;
};
// Has the OOM killer choose the program before its neighbours.
struct OomScoreAction {
  int score = 500;
};
// Asks the program to end, and after a while ends it.
struct StopAction {
  Duration grace = std::chrono::seconds(10);
  bool kill = false;
};

using ActionKind =
    std::variant<SnapshotAction, MarkAction, TrimAction, CallbacksAction,
                 SignalAction, ExecAction, MemoryHighAction, ReclaimAction,
                 OomScoreAction, StopAction>;

// When an action that is over may come again, cool-down apart.
enum class Recurrence : std::uint8_t {
  kWhilePressed,  // as long as the level holds
  kPerEntry,      // once each time that its level is reached
  kPerEpisode,    // once until the program is not pressed at all any more
};

struct KindFacts {
  std::string_view word;
  Recurrence recurrence;
  bool meant_to_reduce;  // whether less memory is used counts as its success
};

[[nodiscard]] const KindFacts& FactsOf(const ActionKind& kind);
// Whether there is something to undo on the way down.
[[nodiscard]] bool IsTemporary(const ActionKind& kind);
// Whether what was done may stay when the program has ended, or has become
// another one by exec.
[[nodiscard]] bool OutlivesTarget(const ActionKind& kind);

struct Action {
  ActionKind kind;
  std::string name;  // identity for cool-downs, label value
  Level level = Level::kLow;
  Duration cool_down = std::chrono::minutes(5);
  Duration timeout = std::chrono::seconds(30);  // of one attempt
  int retries = 3;                              // after the first attempt
  std::size_t per_hour = 12;                    // starts, of one program
};

}  // namespace heapledger::collector::response
