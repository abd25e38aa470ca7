// SPDX-License-Identifier: Apache-2.0
// What to look for in logs, as plain values; pattern_table.h does the looking.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "collector/logs/severity.h"

namespace heapledger::collector::logs {

// One way in which a program says it. The expressions are RE2's, case does not
// matter, and `^` is the beginning of what was said, after time, host and
// program.
struct Wording {
  std::string regex;
  // Only lines of these programs, and lines whose program nobody knows; empty
  // for any.
  std::vector<std::string> programs;
  // A line that this matches, too, says something else.
  std::string unless;
  // The number that `regex` captures, as (?P<number>…) or as its first group,
  // must be this high.
  std::optional<double> at_least;
};

// Groups of a wording that name who was killed: (?P<killed>…), and its pid
// (?P<pid>\d+).
inline constexpr char kKilledGroup[] = "killed";
inline constexpr char kPidGroup[] = "pid";
inline constexpr char kNumberGroup[] = "number";

struct Pattern {
  std::string name;
  Severity severity = Severity::kMedium;
  std::string description;
  std::vector<Wording> wordings;
};

// oom_killer, malloc_fail, gc_pressure, memory_warning and swap_thrashing.
[[nodiscard]] std::vector<Pattern> BuiltInPatterns();

}  // namespace heapledger::collector::logs
