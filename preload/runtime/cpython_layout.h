// SPDX-License-Identifier: Apache-2.0
// Where CPython keeps what we read of it: the chain of running frames, code
// objects and strings, as byte offsets per version. Taken from the headers of
// each version (x86-64, release builds); a version without a row is not read.
//
// How a version chains its frames, and where the C stack shows in that:
//   3.8, 3.9  a frame object per call, each run by a loop of its own
//   3.10      the same, and each loop has a record on the C stack (cframe)
//   3.11      plain frames; a loop runs several, the outermost says is_entry;
//             each loop has a cframe
//   3.12, 3.13  plain frames; where a loop was entered stands a frame that is
//             owned by the C stack, and lies on it
#pragma once

#include <cstdint>

namespace heapledger::preload {

enum class FrameChain : std::uint8_t {
  kFrameObjects,         // f_lasti counts bytes
  kFrameObjectsOnStack,  // f_lasti counts instructions; cframes
  kEntryFlags,
  kStackFrames,
};

enum class LineTable : std::uint8_t {
  kLnotab,     // to 3.9: address and line increments
  kLinetable,  // 3.10: ranges with a line difference each
  kLocations,  // from 3.11: variable entries
};

// One version. An offset of 0 that would be the object's first word means that
// the version has no such field, unless said otherwise.
struct CpythonLayout {
  std::uint16_t version;  // major in the high byte, minor in the low one
  FrameChain chain;
  LineTable lines;

  struct ThreadState {
    std::uint16_t frame = 0;   // the running frame, or
    std::uint16_t cframe = 0;  // the loop's record on the C stack
  } thread;

  struct CFrame {
    std::uint16_t current = 0;  // may be 0: its first word
    std::uint16_t previous = 0;
  } cframe;

  struct Frame {
    std::uint16_t code = 0;  // may be 0
    std::uint16_t previous = 0;
    std::uint16_t instruction = 0;  // f_lasti (4 bytes), else a pointer
    std::uint16_t owner = 0;        // a byte; from 3.11
    std::uint16_t is_entry = 0;     // a byte; 3.11 alone
  } frame;

  struct Code {
    std::uint16_t filename = 0;
    std::uint16_t name = 0;  // co_qualname, before 3.11 co_name
    std::uint16_t line_table = 0;
    std::uint16_t first_line = 0;
    std::uint16_t version = 0;   // 4 bytes that no other code has; from 3.12
    std::uint16_t bytecode = 0;  // from 3.11
  } code;

  struct Text {
    std::uint16_t ascii = 0;    // data of a compact ASCII string
    std::uint16_t compact = 0;  // data of another compact one
  } text;
};

// The same in every version of the table.
inline constexpr std::uint32_t kPyTypeOffset = 8;
inline constexpr std::uint32_t kPySizeOffset = 16;   // ob_size of bytes
inline constexpr std::uint32_t kPyBytesOffset = 32;  // ob_sval of bytes
inline constexpr std::uint32_t kPyTextLengthOffset = 16;
inline constexpr std::uint32_t kPyTextStateOffset = 32;  // kind, compact, ascii
// Frame::owner of a frame that marks where a loop was entered.
inline constexpr std::uint8_t kPyOwnedByCStack = 3;

inline constexpr CpythonLayout kCpythonLayouts[] = {
    {.version = 0x0308,
     .chain = FrameChain::kFrameObjects,
     .lines = LineTable::kLnotab,
     .thread = {.frame = 24, .cframe = 0},
     .cframe = {},
     .frame = {.code = 32, .previous = 24, .instruction = 104},
     .code =
         {.filename = 104, .name = 112, .line_table = 120, .first_line = 40},
     .text = {.ascii = 48, .compact = 72}},
    {.version = 0x0309,
     .chain = FrameChain::kFrameObjects,
     .lines = LineTable::kLnotab,
     .thread = {.frame = 24, .cframe = 0},
     .cframe = {},
     .frame = {.code = 32, .previous = 24, .instruction = 104},
     .code =
         {.filename = 104, .name = 112, .line_table = 120, .first_line = 40},
     .text = {.ascii = 48, .compact = 72}},
    {.version = 0x030a,
     .chain = FrameChain::kFrameObjectsOnStack,
     .lines = LineTable::kLinetable,
     .thread = {.frame = 24, .cframe = 48},
     .cframe = {.current = 0, .previous = 8},
     .frame = {.code = 32, .previous = 24, .instruction = 96},
     .code =
         {.filename = 104, .name = 112, .line_table = 120, .first_line = 40},
     .text = {.ascii = 48, .compact = 72}},
    {.version = 0x030b,
     .chain = FrameChain::kEntryFlags,
     .lines = LineTable::kLocations,
     .thread = {.frame = 0, .cframe = 56},
     .cframe = {.current = 8, .previous = 16},
     .frame = {.code = 32,
               .previous = 48,
               .instruction = 56,
               .owner = 69,
               .is_entry = 68},
     .code = {.filename = 112,
              .name = 128,
              .line_table = 136,
              .first_line = 72,
              .version = 0,
              .bytecode = 184},
     .text = {.ascii = 48, .compact = 72}},
    {.version = 0x030c,
     .chain = FrameChain::kStackFrames,
     .lines = LineTable::kLocations,
     .thread = {.frame = 0, .cframe = 56},
     .cframe = {.current = 0, .previous = 8},
     .frame = {.code = 0, .previous = 8, .instruction = 56, .owner = 70},
     .code = {.filename = 112,
              .name = 128,
              .line_table = 136,
              .first_line = 68,
              .version = 92,
              .bytecode = 192},
     .text = {.ascii = 40, .compact = 56}},
    {.version = 0x030d,
     .chain = FrameChain::kStackFrames,
     .lines = LineTable::kLocations,
     .thread = {.frame = 72, .cframe = 0},
     .cframe = {},
     .frame = {.code = 0, .previous = 8, .instruction = 56, .owner = 70},
     .code = {.filename = 112,
              .name = 128,
              .line_table = 136,
              .first_line = 68,
              .version = 92,
              .bytecode = 200},
     .text = {.ascii = 40, .compact = 56}},
};

// The row of a version as Py_Version has it (0x030b02f0), or null.
constexpr const CpythonLayout* FindCpythonLayout(std::uint32_t version) {
  for (const CpythonLayout& layout : kCpythonLayouts) {
    if (layout.version == version >> 16) return &layout;
  }
  return nullptr;
}

// At the start of _PyRuntime from 3.13 on: what the interpreter itself says of
// its layout. Only its front is the same in later versions.
struct CpythonDebugOffsets {
  static constexpr std::uint64_t kCookie = 0x7970677562656478;  // "xdebugpy"

  std::uint64_t cookie;
  std::uint64_t version;
  std::uint64_t free_threaded;
  std::uint64_t runtime_state[3];
  std::uint64_t interpreter_state[13];
  struct {
    std::uint64_t size, prev, next, interp, current_frame, thread_id,
        native_thread_id, datastack_chunk, status;
  } thread_state;
  struct {
    std::uint64_t size, previous, executable, instr_ptr, localsplus, owner;
  } frame;
  struct {
    std::uint64_t size, filename, name, qualname, linetable, firstlineno,
        argcount, localsplusnames, localspluskinds, co_code_adaptive;
  } code;

  // Whether it says the same as a row of the table.
  constexpr bool Agrees(const CpythonLayout& layout) const {
    return thread_state.current_frame == layout.thread.frame &&
           frame.previous == layout.frame.previous &&
           frame.executable == layout.frame.code &&
           frame.instr_ptr == layout.frame.instruction &&
           frame.owner == layout.frame.owner &&
           code.filename == layout.code.filename &&
           code.qualname == layout.code.name &&
           code.linetable == layout.code.line_table &&
           code.firstlineno == layout.code.first_line &&
           code.co_code_adaptive == layout.code.bytecode;
  }
};

}  // namespace heapledger::preload
