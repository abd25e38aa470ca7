// SPDX-License-Identifier: Apache-2.0
// The bytes of a ledger file.
//
//   page 0      Header
//   page 1      ShardHeader[kShardCount]
//   page 2..33  Extent[kExtentCapacity], populated as the directory grows
//   page 34..   data: extents of records, each extent of one kind
//
// Thread safety: the target writes, readers in other processes only read (but
// for Header::control). Every field that changes after creation is an atomic of
// 8 or 4 bytes, aligned, so a reader never sees half a number.
//
// Publication: a record is written whole and then made reachable by one release
// store: an Extent by `kind_owner`, a FrameRecord by `pc`, a StackNode by its
// single word, a CallsiteRecord by `node`, a ModuleRecord by `state`, a
// TagRecord by `published`. A reader loads that word with acquire and treats
// zero as "not there yet".
//
// Counters (CounterCell): allocated and freed only grow. Live = allocated −
// freed, and only the sum over shards means something, as a block may be freed
// through another shard. A reader sums all `freed` of all shards before it
// reads any `allocated`: then live is never negative.
//
// Only pages of published extents are backed by memory; a reader must not touch
// others (a read fault would allocate them).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "heapledger/ledger/abi.h"
#include "heapledger/ledger/reasons.h"
#include "heapledger/ledger/requests.h"

namespace heapledger::ledger {

using AtomicU32 = std::atomic<std::uint32_t>;
using AtomicU64 = std::atomic<std::uint64_t>;
using AtomicI64 = std::atomic<std::int64_t>;

static_assert(AtomicU32::is_always_lock_free && sizeof(AtomicU32) == 4);
static_assert(AtomicU64::is_always_lock_free && sizeof(AtomicU64) == 8);
static_assert(AtomicI64::is_always_lock_free && sizeof(AtomicI64) == 8);

inline constexpr std::uint32_t kBuildIdBytes = 32;
inline constexpr std::uint32_t kModulePathBytes = 416;

// What a reachability scan says of itself.
struct ScanRecord {
  AtomicU32 state;        // ScanState
  AtomicU32 reason;       // ScanReason: why kIncomplete
  AtomicU64 blocks;       // live when it began
  AtomicU64 unreachable;  // of these: no pointer, and still live at last
  AtomicU64 threads;      // stopped, beside the one that scans
  AtomicU64 root_bytes;   // read as roots
  AtomicU64 duration_ns;  // of the whole scan
  AtomicU64 pause_ns;     // during which the other threads stood still
};

// Page 0. Identity is written once, before `magic`; the rest changes.
struct Header {
  AtomicU64 magic;
  std::uint32_t abi_version;
  std::uint32_t header_bytes;
  std::uint64_t cap_bytes;  // length of the file; sparse beyond next_page

  // Who: pid as the target sees it, start time as in /proc/PID/stat field 22,
  // boot id and pid namespace make it unique over time and containers.
  std::uint32_t pid;
  std::uint32_t uid;
  std::uint64_t start_time_ticks;
  std::uint64_t pid_namespace;
  std::uint32_t parent_pid;  // the forking process, 0 if not forked by one
  std::uint32_t image;       // 0 for the first image of a process, +1 by exec
  std::uint64_t parent_start_time_ticks;
  std::uint64_t created_realtime_ns;
  std::uint64_t created_monotonic_ns;
  char boot_id[40];
  char shim_version[24];
  char comm[16];
  char exe[1024];  // as /proc/self/exe gave it, zero-terminated

  // How.
  AtomicU32 mode;        // Mode, as it is now: control can change it
  AtomicU32 stack_mode;  // StackMode
  std::uint32_t max_depth;
  // Mean bytes between samples where Mode is kSampled, or will be once armed;
  // 0 when exact. Every counter is then an unbiased estimate.
  std::uint32_t sample_bytes;

  // What now.
  AtomicU32 state;  // State
  AtomicU32 off_reason;
  AtomicU64 state_changed_realtime_ns;
  AtomicU64 control;  // Control bits; high half: see kModuleChange
  AtomicU64 control_ack;

  // Growth of the file: extents published, first page not handed out.
  AtomicU32 extent_count;
  AtomicU32 next_page;

  // Ids handed out so far, exclusive ends; records below may still be zero.
  AtomicU32 module_end;
  AtomicU32 frame_end;
  AtomicU32 node_end;
  AtomicU32 callsite_end;
  // Callsites below this id were inherited from the parent at the fork.
  std::uint32_t inherited_end;
  std::uint32_t budget_percent;  // adaptive: CPU that stacks may cost; else 0

  // Peak of live bytes: the highest value reached when a shard last handed in
  // its difference, and the sum of the differences handed in. The shards'
  // `net` and `high_water` complete both (see ShardHeader).
  AtomicU64 peak_live_bytes;
  AtomicI64 handed_in_bytes;

  // Where the object map lies in the target's own memory, for a reader that may
  // read it (age, reachability): addresses there, never followed by us.
  std::uint64_t object_map_directory;
  std::uint32_t object_map_leaf_shift;
  std::uint32_t object_map_granule_shift;

  AtomicU64 degraded[32];  // by Degraded

  // A ledger that was ever dormant covers less than the process' life: when it
  // was last armed and disarmed, 0 where it never was.
  AtomicU64 armed_realtime_ns;
  AtomicU64 disarmed_realtime_ns;

  // The reachability scan at exit. Its records (LeakCell) are written before
  // `scan.state` says kComplete (release), and never change after it.
  ScanRecord scan;

  // The last one of the running program. Its records (LiveLeakCell) belong to
  // round `live_round` while that is even; a reader looks at it before and
  // after it reads them.
  ScanRecord live_scan;
  AtomicU32 live_round;
  AtomicU32 live_pause_limit_ms;
  AtomicU64 live_realtime_ns;  // when it ended

  // The CPython that the program hosts, as Py_Version has it (0x030b02f0; up to
  // 3.10 major and minor alone); 0 where none was seen.
  AtomicU32 python_version;
  AtomicU32 python_state;  // PythonState
  AtomicU64 allocator;     // Allocator
  TrimRecord trim;
  PressureRecord pressure;
};
static_assert(sizeof(Header) <= kPageBytes);
static_assert(static_cast<std::uint32_t>(Degraded::kCount) <= 32);

// Added to `control` whenever other modules may be mapped, so that a thread of
// the target sees both with one look. Never 0 in a live ledger.
inline constexpr std::uint64_t kModuleChange = std::uint64_t{1} << 32;

// Page 1. Written by the shard's owner; by any thread for shared shards.
struct alignas(64) ShardHeader {
  // Live bytes that this shard added or took since it last handed in, and the
  // highest value of that since then: peak = max over time of
  // handed_in_bytes + sum of net.
  AtomicI64 net_bytes;
  AtomicI64 high_water_bytes;
  AtomicU32 threads;  // threads that ever used it
  AtomicU32 owned;    // 1 while a thread holds it
  std::uint64_t reserved[5];
};
static_assert(sizeof(ShardHeader) == 64);
static_assert(kShardCount * sizeof(ShardHeader) <= kPageBytes);

enum class ExtentKind : std::uint8_t {
  kNone = 0,
  kModules = 1,
  kFrames = 2,
  kNodes = 3,
  kCallsites = 4,
  kCounters = 5,
  kLeaks = 6,
  kLiveLeaks = 7,
  kCodes = 8,
  kTags = 9,
  kScopes = 10,
  kPython = 16,  // see python_record.h
};

// A run of pages that holds records [chunk * per_chunk, (chunk+1) * per_chunk)
// of one table.
struct Extent {
  AtomicU32 kind_owner;  // ExtentKind in the low byte, shard above; set last
  std::uint32_t chunk;
  std::uint32_t page;
  std::uint32_t pages;
};
static_assert(sizeof(Extent) == 16);

// State of a module record; kFree is not published.
enum class ModuleState : std::uint32_t {
  kFree = 0,
  kLoaded = 1,
  kUnloaded = 2
};

// A loaded ELF object. Kept after it is unloaded, revived when the same object
// comes back at the same place.
struct ModuleRecord {
  AtomicU32 state;  // ModuleState; set last
  std::uint32_t path_bytes;
  std::uint64_t load_bias;  // runtime address − ELF virtual address
  std::uint64_t start;      // first and one past the last mapped address
  std::uint64_t end;
  std::uint64_t inode;  // 0 where unknown
  std::uint32_t build_id_bytes;
  std::uint32_t path_truncated;
  std::uint8_t build_id[kBuildIdBytes];
  std::uint64_t loaded_monotonic_ns;
  std::uint64_t reserved;
  char path[kModulePathBytes];  // not terminated if path_bytes fills it
};
static_assert(sizeof(ModuleRecord) == 512);

// A code address in a module (0 where it lies in none, such as JIT code), or a
// Python frame (kFrameIsPython).
struct FrameRecord {
  // Set last. A return address unless kFramePcIsExact; of a Python frame, a
  // PythonWord.
  AtomicU64 pc;
  std::uint32_t module;
  std::uint32_t flags;
};
static_assert(sizeof(FrameRecord) == 16);

// The pc is the interrupted instruction itself (below a signal frame), not a
// return address: look it up as it is, not at pc − 1.
inline constexpr std::uint32_t kFramePcIsExact = 1;
// The frame is a place in Python code; `module` is 0.
inline constexpr std::uint32_t kFrameIsPython = 2;

// A place in Python code: bit 62 set, below the id of a CodeRecord (0: it could
// not be recorded), the index of the instruction (from 1, so that the place
// before the first is 0) and its line (0: none). Indexes and lines that do not
// fit stand at their limit.
struct PythonWord {
  static constexpr std::uint64_t kMark = std::uint64_t{1} << 62;
  static constexpr std::uint32_t kCodeBits = 20;
  static constexpr std::uint32_t kUnitBits = 20;
  static constexpr std::uint32_t kLineBits = 22;

  static constexpr std::uint64_t Pack(std::uint32_t code, std::int64_t unit,
                                      std::uint32_t line) {
    constexpr std::int64_t kMostUnits = (1 << kUnitBits) - 1;
    constexpr std::uint32_t kMostLines = (1U << kLineBits) - 1;
    std::int64_t place = unit + 1;
    if (place < 0) place = 0;
    if (place > kMostUnits) place = kMostUnits;
    return kMark | std::uint64_t{code} << (kUnitBits + kLineBits) |
           static_cast<std::uint64_t>(place) << kLineBits |
           (line < kMostLines ? line : kMostLines);
  }
  static constexpr std::uint32_t Code(std::uint64_t word) {
    return static_cast<std::uint32_t>(word >> (kUnitBits + kLineBits)) &
           ((1U << kCodeBits) - 1);
  }
  static constexpr std::uint32_t Line(std::uint64_t word) {
    return static_cast<std::uint32_t>(word) & ((1U << kLineBits) - 1);
  }
};

inline constexpr std::uint32_t kCodeTextBytes = 240;
enum CodeFlag : std::uint32_t { kCodeNameCut = 1, kCodeFileCut = 2 };

// A Python function (or module, or class body), as it was when it was first
// seen in a stack; kept when it is gone. Two records may say the same.
struct CodeRecord {
  AtomicU32 published;  // 1 once the rest is written
  std::uint32_t first_line;
  std::uint16_t name_bytes;
  std::uint16_t file_bytes;
  std::uint32_t flags;        // CodeFlag: which text lacks its beginning
  char text[kCodeTextBytes];  // qualified name, then file name; UTF-8
};
static_assert(sizeof(CodeRecord) == 256);

// One step of a stack towards main: `frame` was called by the stack `parent`.
// Stacks with a common outer part mostly share its nodes; the same path may be
// there twice. Id 0 is the empty stack.
struct StackNode {
  AtomicU64 parent_frame;  // parent in the high half, frame in the low

  static constexpr std::uint64_t Pack(std::uint32_t parent,
                                      std::uint32_t frame) {
    return (static_cast<std::uint64_t>(parent) << 32) | frame;
  }
  static constexpr std::uint32_t Parent(std::uint64_t word) {
    return static_cast<std::uint32_t>(word >> 32);
  }
  static constexpr std::uint32_t Frame(std::uint64_t word) {
    return static_cast<std::uint32_t>(word);
  }
};
static_assert(sizeof(StackNode) == 8);

enum CallsiteFlag : std::uint32_t {
  kCallsiteTruncated = 1,   // deeper than max_depth: outer frames are missing
  kCallsiteIncomplete = 2,  // the walk met a frame without a usable rule
  kCallsiteCallerOnly = 4,  // only the return address was taken
  kCallsiteInherited = 8,   // blocks that were live at the fork
  kCallsiteOverflow = 16,   // stands for all that found no callsite
  kCallsiteCut = 32,        // adaptive depth left the outer frames out
  kCallsiteIgnored = 64,    // blocks that are no leak by the program's own word
};

// A distinct stack that allocates, under one tag: the unit of accounts.
struct CallsiteRecord {
  AtomicU32 published;  // 1 once the rest is written
  std::uint32_t node;   // innermost frame's node; 0 for the empty stack
  std::uint32_t flags;  // CallsiteFlag
  std::uint16_t depth;
  std::uint16_t tag;                      // id of a TagRecord, or kNoTag
  std::uint64_t first_seen_monotonic_ns;  // 0 where not taken
};
static_assert(sizeof(CallsiteRecord) == 24);
static_assert(kMaxStackDepth <= 0xffff && kMaxTags <= 0x10000);

// What the program calls a part of its work: a name and labels, in the bytes
// that it gave, each ended by a zero where it is shorter than its room.
struct TagRecord {
  AtomicU32 published;  // 1 once the rest is written
  std::uint32_t label_count;
  std::uint64_t reserved;
  char name[kTagNameBytes];
  struct Label {
    char key[kTagKeyBytes];
    char value[kTagValueBytes];
  } labels[kMaxTagLabels];
  std::uint64_t reserved_too[6];
};
static_assert(sizeof(TagRecord) == 512);

// How often scopes (or other things that live for a time) of one tag were begun
// and ended in one shard. Only the sum over shards means something, and a
// reader sums all `ended` first, as of CounterCell.
struct ScopeCell {
  AtomicU64 begun;
  AtomicU64 ended;
};
static_assert(sizeof(ScopeCell) == 16);

// The account of one callsite in one shard.
struct CounterCell {
  AtomicU64 allocated_bytes;
  AtomicU64 allocated_objects;
  AtomicU64 freed_bytes;
  AtomicU64 freed_objects;
};
static_assert(sizeof(CounterCell) == 32);

// What a scan found of one callsite: blocks that no pointer reached
// (direct), and those reached from such blocks alone (indirect).
struct LeakCell {
  AtomicU64 direct_bytes;
  AtomicU64 direct_objects;
  AtomicU64 indirect_bytes;
  AtomicU64 indirect_objects;
};
static_assert(sizeof(LeakCell) == 32);

// The same, of the running program.
struct LiveLeakCell : LeakCell {};
static_assert(sizeof(LiveLeakCell) == sizeof(LeakCell));

// Which table a record belongs to, and the pages of one of its extents.
template <typename Record>
struct Chunking;
template <>
struct Chunking<ModuleRecord> {
  static constexpr ExtentKind kKind = ExtentKind::kModules;
  static constexpr std::uint32_t kPages = 2;
};
template <>
struct Chunking<FrameRecord> {
  static constexpr ExtentKind kKind = ExtentKind::kFrames;
  static constexpr std::uint32_t kPages = 4;
};
template <>
struct Chunking<StackNode> {
  static constexpr ExtentKind kKind = ExtentKind::kNodes;
  static constexpr std::uint32_t kPages = 4;
};
template <>
struct Chunking<CallsiteRecord> {
  static constexpr ExtentKind kKind = ExtentKind::kCallsites;
  static constexpr std::uint32_t kPages = 3;
};
template <>
struct Chunking<CounterCell> {
  static constexpr ExtentKind kKind = ExtentKind::kCounters;
  static constexpr std::uint32_t kPages = 4;
};

template <>
struct Chunking<LeakCell> {
  static constexpr ExtentKind kKind = ExtentKind::kLeaks;
  static constexpr std::uint32_t kPages = 4;
};
template <>
struct Chunking<LiveLeakCell> {
  static constexpr ExtentKind kKind = ExtentKind::kLiveLeaks;
  static constexpr std::uint32_t kPages = 4;
};
template <>
struct Chunking<CodeRecord> {
  static constexpr ExtentKind kKind = ExtentKind::kCodes;
  static constexpr std::uint32_t kPages = 4;
};

template <>
struct Chunking<TagRecord> {
  static constexpr ExtentKind kKind = ExtentKind::kTags;
  static constexpr std::uint32_t kPages = 2;
};
template <>
struct Chunking<ScopeCell> {
  static constexpr ExtentKind kKind = ExtentKind::kScopes;
  static constexpr std::uint32_t kPages = 1;
};

template <typename Record>
inline constexpr std::uint32_t kRecordsPerChunk =
    Chunking<Record>::kPages* kPageBytes / sizeof(Record);

// One chunk of callsites and one chunk of their counters cover the same ids, so
// that a callsite exists only where it can be booked.
static_assert(kRecordsPerChunk<CallsiteRecord> == 512);
static_assert(kRecordsPerChunk<CounterCell> == 512);
static_assert(kRecordsPerChunk<LeakCell> == 512);
static_assert(kMaxTags % kRecordsPerChunk<TagRecord> == 0);
static_assert(kMaxTags % kRecordsPerChunk<ScopeCell> == 0);
static_assert(kRecordsPerChunk<FrameRecord> == 1024);
static_assert(kRecordsPerChunk<StackNode> == 2048);

static_assert(std::is_standard_layout_v<Header>);
static_assert(std::is_standard_layout_v<ModuleRecord>);
static_assert(std::is_standard_layout_v<TagRecord>);

}  // namespace heapledger::ledger
