// SPDX-License-Identifier: Apache-2.0
// The bytes of a snapshot file (.hl): what the writer and the reader agree on.
//
//   header | section table | section, section, …
//
// Everything is little-endian and begins at a multiple of 8 bytes, so that a
// mapped file can be used in place. A section is known by its name. A reader
// skips sections that it does not know and, of longer records than it knows,
// the rest: that is what a new minor version may add. A new major version is
// for what an old reader would get wrong. Checksums are CRC-32 as in gzip.
//
// No section holds contents of the heap, arguments or environment.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace heapledger::collector::hl {

static_assert(std::endian::native == std::endian::little);

// Like PNG's: a high bit, a carriage return and an end-of-file sign tell a file
// that a text mode mangled.
inline constexpr char kMagic[8] = {'\x89', 'H',  'L',    'S',
                                   '\r',   '\n', '\x1a', '\n'};
inline constexpr std::uint16_t kMajor = 1;
inline constexpr std::uint16_t kMinor = 1;  // 1: Python frames, tags

struct Header {
  char magic[8];
  std::uint16_t major;
  std::uint16_t minor;
  std::uint32_t header_bytes;  // the section table begins there
  std::uint32_t section_count;
  std::uint32_t section_bytes;  // of one entry of the table
  std::uint64_t file_bytes;
  // Of the header, with this field 0, and the section table.
  std::uint32_t checksum;
  std::uint32_t reserved;
};
static_assert(sizeof(Header) == 40);

struct Section {
  char name[16];  // filled up with zeros
  std::uint64_t offset;
  std::uint64_t size;  // record_bytes * count
  std::uint64_t count;
  std::uint32_t record_bytes;
  std::uint32_t checksum;  // of `size` bytes
};
static_assert(sizeof(Section) == 48);

// Sections. Those of names are absent where none were resolved.
inline constexpr char kFacts[] = "facts";          // JSON text; see hl_facts.h
inline constexpr char kStrings[] = "strings";      // bytes that Text points to
inline constexpr char kModules[] = "modules";      // Module
inline constexpr char kFrames[] = "frames";        // Frame
inline constexpr char kCodes[] = "codes";          // Code; from 1.1
inline constexpr char kNodes[] = "nodes";          // Node
inline constexpr char kCallsites[] = "callsites";  // Callsite
inline constexpr char kCounters[] = "counters";    // Counters, by callsite
inline constexpr char kMarks[] = "marks";          // Mark
// Since 1.1, and absent where nothing has a tag.
inline constexpr char kTags[] = "tags";                   // Tag
inline constexpr char kTagLabels[] = "tag_labels";        // TagLabel
inline constexpr char kCallsiteTags[] = "callsite_tags";  // CallsiteTag
inline constexpr char kNames[] = "names";                 // NameRange, by frame
inline constexpr char kFunctions[] = "functions";         // Function
inline constexpr std::array<std::string_view, 14> kOwnSections = {
    kFacts,     kStrings,      kModules,  kFrames,   kCodes,
    kNodes,     kCallsites,    kCounters, kMarks,    kTags,
    kTagLabels, kCallsiteTags, kNames,    kFunctions};

// Bytes of the strings section; not terminated.
struct Text {
  std::uint32_t offset;
  std::uint32_t size;
};
static_assert(sizeof(Text) == 8);

enum ModuleFlag : std::uint32_t { kModulePathTruncated = 1, kModuleLoaded = 2 };

struct Module {
  Text path;
  Text build_id;  // raw bytes
  std::uint64_t load_bias;
  std::uint64_t start;
  std::uint64_t end;
  std::uint64_t inode;
  std::uint32_t flags;  // ModuleFlag
  std::uint32_t reserved;
};
static_assert(sizeof(Module) == 56);

// As the shim's record has it, with another's indexes.
enum FrameFlag : std::uint32_t { kFramePcIsExact = 1, kFrameIsPython = 2 };
inline constexpr std::uint32_t kNoModule = 0xffffffff;

struct Frame {
  // Of a Python frame: bit 62, the index of its code from 1 (20 bits), that of
  // its instruction (20 bits), its line (22 bits; 0: none).
  std::uint64_t pc;
  std::uint32_t module;  // index, or kNoModule, as of Python frames
  std::uint32_t flags;   // FrameFlag
};
static_assert(sizeof(Frame) == 16);

enum CodeFlag : std::uint32_t { kCodeNameCut = 1, kCodeFileCut = 2 };

// A Python function.
struct Code {
  Text name;  // qualified
  Text file;
  std::uint32_t first_line;
  std::uint32_t flags;  // CodeFlag: which text lacks its beginning
};
static_assert(sizeof(Code) == 24);

// One step of a stack towards main: `frame` was called from the stack
// `parent`. Ids count from 1; 0 is the empty stack. A parent comes before its
// nodes, so no stack can lead in a circle.
struct Node {
  std::uint32_t parent;
  std::uint32_t frame;  // index
};
static_assert(sizeof(Node) == 8);

enum CallsiteFlag : std::uint32_t {
  kCallsiteTruncated = 1,
  kCallsiteIncomplete = 2,
  kCallsiteCallerOnly = 4,
  kCallsiteInherited = 8,
  kCallsiteOverflow = 16,
  kCallsiteCut = 32,
};

struct Callsite {
  std::uint32_t id;    // in the ledger
  std::uint32_t node;  // id of the innermost frame's
  std::uint32_t depth;
  std::uint32_t flags;  // CallsiteFlag
  std::uint64_t first_seen_monotonic_ns;
  std::uint64_t fingerprint;  // 0 where no names were resolved
};
static_assert(sizeof(Callsite) == 32);

struct Counters {
  std::uint64_t inherited_bytes;
  std::uint64_t inherited_objects;
  std::uint64_t allocated_bytes;
  std::uint64_t allocated_objects;
  std::uint64_t freed_bytes;
  std::uint64_t freed_objects;
};
static_assert(sizeof(Counters) == 48);

// A tag: a name and labels, one range of these per tag, in order and without
// gaps. begun, ended: how often its scopes were.
struct Tag {
  Text name;
  std::uint32_t first_label;  // index into tag_labels
  std::uint32_t label_count;
  std::uint64_t begun;
  std::uint64_t ended;
};
static_assert(sizeof(Tag) == 32);

struct TagLabel {
  Text key;
  Text value;
};
static_assert(sizeof(TagLabel) == 16);

// One per callsite.
inline constexpr std::uint32_t kUntagged = 0xffffffff;
struct CallsiteTag {
  std::uint32_t tag;  // index, or kUntagged
};
static_assert(sizeof(CallsiteTag) == 4);

// A moment that was named before this snapshot was taken.
struct Mark {
  Text name;
  std::uint64_t taken_realtime_ns;
  std::uint64_t live_bytes;
  std::uint64_t live_objects;
};
static_assert(sizeof(Mark) == 32);

// The functions at one pc, innermost first: one range per frame, in order and
// without gaps.
struct NameRange {
  std::uint32_t first;  // index into functions
  std::uint32_t count;  // at least 1
};
static_assert(sizeof(NameRange) == 8);

enum FunctionFlag : std::uint32_t { kFunctionInlined = 1, kFunctionPython = 2 };

struct Function {
  Text function;
  Text linkage_name;
  Text module;
  Text build_id;
  Text file;
  std::uint64_t rel_pc;
  std::uint32_t line;
  std::uint32_t flags;  // FunctionFlag
};
static_assert(sizeof(Function) == 56);

static_assert(std::is_trivially_copyable_v<Function>);

}  // namespace heapledger::collector::hl
