// SPDX-License-Identifier: Apache-2.0
// Readings of the past, to try rules on. Text, either CSV with a line of names
// in front or one JSON object a line, with these fields, in any order:
//
//   time                    seconds since any moment, or 2026-01-31T12:00:00Z
//   process, pid, exe, cgroup, python      whose; one program where not told
//   used_bytes, limit_bytes                against the tightest limit
//   cgroup_bytes, resident_bytes           for used_bytes where that is missing
//   headroom_bytes, usage                  what is left; made of those two else
//   live_bytes                             on the heap
//   stall, stall_full                      shares, from 0 to 1
//   limit_hits, reclaim                    as of Quantity
//   exhaustion_seconds, growth_bytes_per_second, suspect_bytes
//   alert                                  the level that an alert means
//
// Lines stand in the order of time. Other fields are left alone and listed. An
// empty field, and one that is null, is not known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/response/engine.h"

namespace heapledger::collector::response {

inline constexpr std::size_t kMaxHistoryRows = 5'000'000;

struct HistoryRow {
  Time at{};
  TargetReading reading;
  Level alert = Level::kNone;
};

struct History {
  std::vector<HistoryRow> rows;
  std::set<std::string> ignored;  // fields that mean nothing here
  bool since_epoch = false;       // times are Unix times
};

// `limit_bytes` is that of lines that have none; 0: not known. InvalidArgument
// names `source`, the line and what is wrong with it.
[[nodiscard]] absl::StatusOr<History> ParseHistory(
    std::string_view text, const std::string& source,
    std::uint64_t limit_bytes = 0);

// What the rules would have done, had they been there; nothing is done.
[[nodiscard]] std::vector<Event> Replay(const Rules& rules,
                                        const History& history);

}  // namespace heapledger::collector::response
