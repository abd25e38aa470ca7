// SPDX-License-Identifier: Apache-2.0
// What is known of a process' death beside its heap, as one value, and its form
// in a snapshot file: the section "obituary" has it as JSON, the section
// "history" the figures over time (series.h). Every reader of snapshots reads
// such a file; this one reads the rest.
//
// Like all of a snapshot file it holds no contents of the heap, arguments or
// environment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/obituary/cgroup_facts.h"
#include "collector/obituary/ending.h"
#include "collector/obituary/oom_report.h"
#include "collector/obituary/series.h"
#include "collector/profile/hl_file.h"

namespace heapledger::collector::obituary {

inline constexpr char kObituarySection[] = "obituary";
inline constexpr char kHistorySection[] = "history";

// What a column of the history counts. The first four are always there, in
// this order; 0 of resident and cgroup bytes: not known.
enum class Column { kLive, kObjects, kResident, kCgroup };
inline constexpr std::size_t kFixedColumns = 4;

// A callsite that has a column of its own: its live bytes, 0 while it was not
// among the largest.
struct CallsiteColumn {
  std::string callsite;  // fingerprint
  std::string function;
  std::string module;
  std::string file;
  std::uint32_t line = 0;
};

struct CallsiteFigure {
  CallsiteColumn site;
  std::uint64_t live_bytes = 0;
  std::uint64_t live_objects = 0;
};

// Taken while the process lived, when its memory ran short.
struct PressureSample {
  std::uint64_t realtime_ns = 0;
  double usage_ratio = 0;  // of the tightest limit
  double threshold = 0;    // that was passed
  std::uint64_t limit_bytes = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t live_bytes = 0;
  std::vector<CallsiteFigure> top;
};

// What happened on the way: "start", "mark", "pressure", "suspect", "kernel",
// "end".
struct Event {
  std::uint64_t realtime_ns = 0;
  std::string kind;
  std::string text;
};

struct BigProcess {
  std::string name;
  std::uint32_t pid = 0;
  std::uint64_t resident_bytes = 0;
  bool killed = false;
};

struct HostState {
  std::uint64_t realtime_ns = 0;
  std::uint64_t total_bytes = 0;
  std::uint64_t available_bytes = 0;
  std::uint64_t swap_total_bytes = 0;
  std::uint64_t swap_free_bytes = 0;
  // Time since boot for which some task, and all of them, waited for memory.
  std::optional<std::uint64_t> stalled_some_us;
  std::optional<std::uint64_t> stalled_full_us;
};

struct Obituary {
  Ending ending;
  std::uint64_t died_realtime_ns = 0;
  // The moment is known to a sample or better; else it is a bound: it died then
  // or later.
  bool died_exactly = false;
  std::string sealed_by;  // "heapledger 0.1.0"
  // From when on a collector watched; 0: none did.
  std::uint64_t watched_since_ns = 0;

  std::optional<CgroupFacts> cgroup_before;  // of the last sample
  std::optional<CgroupFacts> cgroup_after;
  std::optional<OomReport> oom;
  std::optional<HostState> host_before;
  std::optional<HostState> host_after;
  std::uint64_t last_resident_bytes = 0;  // 0: not known
  std::vector<BigProcess> others;         // largest first
  std::vector<PressureSample> pressure;
  std::vector<Event> events;  // by time
  // As leaks_json.h has them; null where nobody looked.
  nlohmann::ordered_json suspects;
  std::vector<std::string> remarks;  // what is missing, and why

  // By time; kFixedColumns and then one per entry of `callsites`.
  std::vector<CallsiteColumn> callsites;
  std::vector<SeriesRow> history;

  [[nodiscard]] std::uint64_t At(std::size_t row, Column column) const {
    return history[row].values[static_cast<std::size_t>(column)];
  }
};

// What a reader sees: all but the history's rows.
[[nodiscard]] nlohmann::ordered_json ObituaryJson(const Obituary& obituary);

// The sections to write. `history` is the encoded series.
[[nodiscard]] std::vector<HlSection> Sections(const Obituary& obituary,
                                              std::string history);

// Of the sections of a snapshot file. NotFound where it is no obituary;
// InvalidArgument, naming `path`, where it is an unsound one. What is missing
// or of another type stays as in an empty Obituary.
[[nodiscard]] absl::StatusOr<Obituary> FromSections(
    std::span<const HlSection> sections, const std::string& path);

}  // namespace heapledger::collector::obituary
