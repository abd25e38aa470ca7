// SPDX-License-Identifier: Apache-2.0
// What the collector knows of a process after one look at its ledger: plain
// values, copied and checked, with no way back into shared memory.
//
// This is the only header of shm/ that the layers above may see, so the words
// for states and reasons live here too (and in request_facts.h, a part of it).
//
// Thread safety: a snapshot is immutable once taken and shared by pointer.
//
// Invariants:
//  (1) LedgerSnapshot::totals is the sum of the counters of all callsites, of
//      estimates too: each block is booked with one weight, in and out.
//  (2) freed <= inherited + allocated, per callsite and in total.
//  (3) Frame, module, callsite and tag indexes stay valid in later snapshots
//      of the same lineage: tables only grow at their end.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "collector/shm/python_figures.h"
#include "collector/shm/request_facts.h"

namespace heapledger::collector {

// A ledger's own word, checked against whether the process still runs.
enum class ProcessState {
  kStarting,  // the ledger is made, the program not yet entered
  kLive,
  kExited,  // ended by itself
  kKilled,  // gone while its ledger says it lives: a signal, or the OOM killer
  kReplaced,  // another image took over by exec
  kOff,       // stopped measuring; see off_reason
};

enum class MeasureMode { kExact, kSampled, kDormant, kUnknown };
enum class StackDetail { kFull, kFramePointer, kCaller, kAdaptive, kUnknown };

// One lower-case word each, as `ps` and JSON print them.
std::string_view StateWord(ProcessState state);
std::string_view ModeWord(MeasureMode mode);
std::string_view StackWord(StackDetail detail);

// Ways in which detail was given up, by index into LedgerSnapshot::degraded.
inline constexpr std::size_t kDegradedKinds = 32;
// A word for a label value ("stack_truncated"; "unknown_17" where this build
// knows no name).
std::string DegradedWord(std::size_t kind);
// What happened, without the count ("stacks deeper than --max-depth were cut").
std::string DegradedText(std::size_t kind);

// Why a process is not measured: a word for labels, the reason, and what to do
// about it (both without a full stop).
std::string OffReasonWord(std::uint32_t reason);
std::string OffReasonText(std::uint32_t reason);
std::string OffReasonRemedy(std::uint32_t reason);

// What became of the Python frames of a program that hosts CPython, by
// LedgerSnapshot::python_state: a word for JSON, and what it means.
std::string PythonStateWord(std::uint32_t state);
std::string PythonStateText(std::uint32_t state);
// Whether they were asked for and are not to be had.
bool PythonFramesRefused(std::uint32_t state);
// "3.11.2", or "3.10" of versions that say no more.
std::string PythonVersionText(std::uint32_t version);

// What came of a reachability scan.
enum class ScanState {
  kNotAsked,
  kPending,     // asked for; the process has not come to its end, or was killed
  kRunning,     // at it, or killed at it
  kComplete,    // LeakScan::leaks is all there is
  kIncomplete,  // given up: LeakScan::reason says why, and nothing is known
  kUnknown,
};
// A word for JSON and labels ("not_asked"), and for a reason of kIncomplete the
// word and the reason in words (without a full stop).
std::string_view ScanStateWord(ScanState state);
std::string ScanReasonWord(std::uint32_t reason);
std::string ScanReasonText(std::uint32_t reason);

// What no pointer reached when the scan was made: itself, or through blocks
// that are leaked.
struct LeakCounts {
  std::uint64_t direct_bytes = 0;
  std::uint64_t direct_objects = 0;
  std::uint64_t indirect_bytes = 0;
  std::uint64_t indirect_objects = 0;

  LeakCounts& operator+=(const LeakCounts& other);
  friend bool operator==(const LeakCounts&, const LeakCounts&) = default;
};

struct LeakRecord {
  std::uint32_t callsite = 0;  // index into LedgerSnapshot::callsites()
  LeakCounts counts;
};

struct LeakScan {
  ScanState state = ScanState::kNotAsked;
  std::uint32_t reason = 0;
  std::uint64_t blocks = 0;       // looked at
  std::uint64_t unreachable = 0;  // of these
  std::uint64_t threads = 0;      // stopped for it
  std::uint64_t root_bytes = 0;   // read as roots
  std::uint64_t duration_ns = 0;
  std::uint64_t pause_ns = 0;  // other threads stood still
  // By callsite index, each once; empty unless kComplete. `totals` is its sum.
  std::vector<LeakRecord> leaks;
  LeakCounts totals;
};

// The last scan of the running program. kRunning also while it is being
// written.
struct LiveLeakScan : LeakScan {
  std::uint32_t round = 0;  // grows with every scan that ended
  std::uint32_t pause_limit_ms = 0;
  std::uint64_t realtime_ns = 0;  // when it ended
};

// Sums over shards. `inherited` is what was live at the fork that made this
// process: it is part of live, and of neither allocated nor any rate.
struct HeapCounters {
  std::uint64_t inherited_bytes = 0;
  std::uint64_t inherited_objects = 0;
  std::uint64_t allocated_bytes = 0;
  std::uint64_t allocated_objects = 0;
  std::uint64_t freed_bytes = 0;
  std::uint64_t freed_objects = 0;

  [[nodiscard]] std::uint64_t live_bytes() const {
    return inherited_bytes + allocated_bytes - freed_bytes;
  }
  [[nodiscard]] std::uint64_t live_objects() const {
    return inherited_objects + allocated_objects - freed_objects;
  }
  HeapCounters& operator+=(const HeapCounters& other);
  HeapCounters& operator-=(const HeapCounters& other);
  friend bool operator==(const HeapCounters&, const HeapCounters&) = default;
};

struct ModuleInfo {
  std::string path;
  std::string build_id;  // raw bytes; see BuildIdHex
  std::uint64_t load_bias = 0;
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint64_t inode = 0;  // 0 where unknown
  bool path_truncated = false;
  bool loaded = false;
};

[[nodiscard]] std::string BuildIdHex(std::string_view build_id);

inline constexpr std::uint32_t kNoModule =
    std::numeric_limits<std::uint32_t>::max();

// A Python function, or the code of a module or class body.
struct CodeInfo {
  std::string name;  // qualified; before 3.11 the plain name
  std::string file;  // as Python has it
  std::uint32_t first_line = 0;
  bool name_cut = false;  // it lacks its beginning
  bool file_cut = false;
};

inline constexpr std::uint32_t kNoCode =
    std::numeric_limits<std::uint32_t>::max();

struct FrameInfo {
  std::uint64_t pc = 0;              // of a Python frame: see PythonPc()
  std::uint32_t module = kNoModule;  // index into modules
  bool pc_is_exact = false;          // else a return address: look up pc - 1
  std::uint32_t code = kNoCode;      // index into codes: a Python frame
  std::uint32_t line = 0;            // of a Python frame; 0: it has none

  [[nodiscard]] bool is_python() const { return code != kNoCode; }
};

// What stands for the pc of a Python frame: bit 62, the index of its code from
// 1 (20 bits), that of its instruction (20 bits), its line (22 bits). Code
// indexes in it are the snapshot's own.
inline constexpr std::uint64_t kPythonPcMark = std::uint64_t{1} << 62;
[[nodiscard]] constexpr std::uint64_t PythonPc(std::uint64_t pc,
                                               std::uint32_t code) {
  constexpr std::uint64_t kPlace = (std::uint64_t{1} << 42) - 1;
  return kPythonPcMark | std::uint64_t{code + 1} << 42 | (pc & kPlace);
}
[[nodiscard]] constexpr std::uint32_t CodeOfPythonPc(std::uint64_t pc) {
  return (static_cast<std::uint32_t>(pc >> 42) & 0xfffffU) - 1;
}
[[nodiscard]] constexpr std::uint32_t LineOfPythonPc(std::uint64_t pc) {
  return static_cast<std::uint32_t>(pc) & 0x3fffffU;
}
// What a program, or a rule of the user, calls a part of its work. Texts are
// whatever they were given as.
struct TagLabel {
  std::string key;
  std::string value;
  friend bool operator==(const TagLabel&, const TagLabel&) = default;
};

struct TagInfo {
  std::string name;
  std::vector<TagLabel> labels;

  // "request{route=/cart,tenant=acme}"; "tenant=acme" where the one label has
  // the tag's name.
  [[nodiscard]] std::string Text() const;
  friend bool operator==(const TagInfo&, const TagInfo&) = default;
};

inline constexpr std::uint32_t kUntagged =
    std::numeric_limits<std::uint32_t>::max();
// The names of what has no tag, and of what had no room to be told apart.
inline constexpr std::string_view kUntaggedName = "_untagged";
inline constexpr std::string_view kOtherTagName = "_other";

// Scopes of a tag, and other things that live for a time, since the start.
struct ScopeCounts {
  std::uint64_t begun = 0;
  std::uint64_t ended = 0;

  [[nodiscard]] std::uint64_t open() const {
    return begun > ended ? begun - ended : 0;
  }
  ScopeCounts& operator+=(const ScopeCounts& other) {
    begun += other.begun;
    ended += other.ended;
    return *this;
  }
  friend bool operator==(const ScopeCounts&, const ScopeCounts&) = default;
};

struct CallsiteInfo {
  std::uint32_t id = 0;  // in the ledger; the first where records were merged
  std::uint32_t depth = 0;
  std::uint32_t stack_begin = 0;  // see SnapshotTables::stacks
  std::uint32_t stack_size = 0;
  bool truncated = false;         // outer frames are missing
  bool incomplete = false;        // the walk met a frame that it could not pass
  bool caller_only = false;       // only the return address was taken
  bool inherited = false;         // blocks that were live at the fork
  bool overflow = false;          // stands for all that found no callsite
  bool cut = false;               // adaptive depth left the outer frames out
  std::uint32_t tag = kUntagged;  // index into tags
  std::uint64_t first_seen_monotonic_ns = 0;  // 0 where not taken
};

// What is written once. Shared by the snapshots of a ledger until it grows.
struct SnapshotTables {
  std::vector<ModuleInfo> modules;
  std::vector<FrameInfo> frames;
  std::vector<CodeInfo> codes;
  std::vector<CallsiteInfo> callsites;
  std::vector<TagInfo> tags;
  std::vector<std::uint32_t>
      stacks;  // frame indexes, each stack innermost first
};

struct LedgerIdentity {
  std::uint32_t pid = 0;
  std::uint32_t uid = 0;
  std::uint64_t start_time_ticks = 0;
  std::uint64_t pid_namespace = 0;
  std::uint32_t image = 0;
  std::uint32_t parent_pid = 0;  // the forking process, 0 if unknown
  std::uint64_t parent_start_time_ticks = 0;
  std::uint64_t created_realtime_ns = 0;
  std::uint64_t created_monotonic_ns = 0;
  std::string boot_id;
  std::string exe;
  std::string comm;
  std::string shim_version;

  // "<pid>-<start>.<image>": one value per ledger of a boot and pid namespace.
  [[nodiscard]] std::string Key() const;
  // The program's short name: the last part of exe, else comm, else "?".
  [[nodiscard]] std::string Program() const;
};

// Where the target keeps the sizes and callsites of its live blocks, in its own
// memory; not to be trusted. directory 0: unknown.
struct ObjectMapPlace {
  std::uint64_t directory = 0;
  std::uint32_t leaf_shift = 0;
  std::uint32_t granule_shift = 0;
};

struct LedgerSnapshot {
  std::string path;
  std::uint64_t lineage = 0;  // one value per reader that goes on
  LedgerIdentity identity;
  MeasureMode mode = MeasureMode::kUnknown;
  StackDetail stack_detail = StackDetail::kUnknown;
  std::uint32_t max_depth = 0;
  // Mean bytes between samples, also of a dormant process that will sample
  // once armed; 0 when exact.
  std::uint32_t sample_bytes = 0;
  std::uint32_t budget_percent = 0;  // adaptive depth's; else 0
  // When a process that was ever dormant was last armed and disarmed; 0 where
  // it never was.
  std::uint64_t armed_realtime_ns = 0;
  std::uint64_t disarmed_realtime_ns = 0;
  ProcessState state = ProcessState::kStarting;
  std::uint32_t off_reason = 0;
  std::uint64_t state_changed_realtime_ns = 0;
  std::array<std::uint64_t, kDegradedKinds> degraded{};
  std::uint32_t python_version = 0;  // as Py_Version has it; 0: none seen
  std::uint32_t python_state = 0;    // see PythonStateWord()

  std::shared_ptr<const SnapshotTables> tables;
  std::vector<HeapCounters> counters;  // by callsite index
  std::vector<ScopeCounts> scopes;     // by tag index; may be shorter
  HeapCounters totals;
  HeapCounters cut;  // the part of totals in callsites that are cut
  std::uint64_t peak_live_bytes = 0;
  LeakScan scan;  // at exit
  LiveLeakScan live_scan;
  Allocator allocator = Allocator::kUnknown;
  TrimFacts trim;
  PressureFacts pressure;
  ObjectMapPlace object_map;
  // Null where no helper was asked for, or there is no CPython.
  std::shared_ptr<const PythonFigures> python;

  std::uint64_t ledger_bytes = 0;  // backed by memory
  std::uint64_t cap_bytes = 0;
  std::uint64_t corrupt_records =
      0;  // left out or repaired, as they made no sense
  std::uint64_t taken_monotonic_ns = 0;
  std::uint64_t taken_realtime_ns = 0;

  [[nodiscard]] std::span<const CallsiteInfo> callsites() const {
    return std::span(tables->callsites).first(counters.size());
  }
  [[nodiscard]] std::span<const std::uint32_t> stack(
      const CallsiteInfo& callsite) const {
    return std::span(tables->stacks)
        .subspan(callsite.stack_begin, callsite.stack_size);
  }
  // Null where the frame lies in no module (JIT code).
  [[nodiscard]] const ModuleInfo* module_of(const FrameInfo& frame) const {
    return frame.module < tables->modules.size()
               ? &tables->modules[frame.module]
               : nullptr;
  }
  [[nodiscard]] bool degraded_at_all() const;
  // Whether the counters are scaled up from samples. They add up all the same.
  [[nodiscard]] bool estimated() const {
    return mode == MeasureMode::kSampled || sample_bytes != 0;
  }
  // Dormant since its start: zeros here mean that nobody looked.
  [[nodiscard]] bool never_armed() const {
    return mode == MeasureMode::kDormant && armed_realtime_ns == 0 &&
           disarmed_realtime_ns == 0;
  }
};

// A process that the shim was meant for and that has no counts.
struct UnmeasuredProcess {
  std::uint32_t pid = 0;
  std::uint64_t start_time_ticks = 0;
  std::uint32_t uid = 0;
  bool alive = false;
  std::string program;  // empty where nobody knows any more
  // The shim's own reason; none where it is mapped and has said nothing.
  std::optional<std::uint32_t> off_reason;
};

// Everything found on this host at one time.
struct HostSnapshot {
  std::vector<std::shared_ptr<const LedgerSnapshot>> ledgers;
  std::vector<UnmeasuredProcess> unmeasured;
  std::vector<std::string> problems;  // a sentence per ledger that was refused
  std::uint64_t taken_monotonic_ns = 0;
};

}  // namespace heapledger::collector
