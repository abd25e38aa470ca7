// SPDX-License-Identifier: Apache-2.0
// The figures in the text that CPython's _PyObject_DebugMallocStats() writes:
// a table of size classes (class, size, pools, blocks in use, blocks free),
// then sums with commas in their numbers. The same from 3.8 to 3.13; without
// pymalloc (PYTHONMALLOC=malloc) there is no such table.
//
// Thread safety: pure.
#pragma once

#include <cstddef>
#include <cstdint>

#include "heapledger/ledger/python_record.h"

namespace heapledger::preload {

struct MallocStats {
  std::uint64_t arenas = 0;
  std::uint64_t arena_bytes = 0;  // of all of them
  std::uint64_t block_bytes = 0;  // in blocks that are in use
  std::uint64_t blocks[ledger::kPythonSizeClasses] = {};
};

namespace malloc_stats_internal {

// What is left of a line.
struct Line {
  const char* at;
  const char* end;

  void SkipSpaces() {
    while (at != end && *at == ' ') ++at;
  }
  bool Skip(const char* text) {
    const char* here = at;
    for (; *text != '\0'; ++text, ++here) {
      if (here == end || *here != *text) return false;
    }
    at = here;
    return true;
  }
  // A number, with or without commas. False, and nowhere particular, where
  // there is none or it is too large to be one of bytes.
  bool Number(std::uint64_t* value) {
    SkipSpaces();
    if (at == end || *at < '0' || *at > '9') return false;
    *value = 0;
    for (; at != end && ((*at >= '0' && *at <= '9') || *at == ','); ++at) {
      if (*at == ',') continue;
      if (*value > (std::uint64_t{1} << 56)) return false;
      *value = *value * 10 + static_cast<std::uint64_t>(*at - '0');
    }
    return true;
  }
};

// "    5     96          12             499             5"
inline bool TakeClass(Line line, MallocStats* stats) {
  std::uint64_t index;
  std::uint64_t size;
  std::uint64_t pools;
  std::uint64_t used;
  std::uint64_t free;
  if (!line.Number(&index) || !line.Number(&size) || !line.Number(&pools) ||
      !line.Number(&used) || !line.Number(&free)) {
    return false;
  }
  line.SkipSpaces();
  if (line.at != line.end || index >= ledger::kPythonSizeClasses ||
      size != (index + 1) * ledger::kPythonSizeClassBytes) {
    return false;
  }
  stats->blocks[index] = used;
  return true;
}

// "3 arenas * 1048576 bytes/arena             =            3,145,728"
inline bool TakeArenas(Line line, MallocStats* stats) {
  std::uint64_t arenas;
  std::uint64_t size;
  std::uint64_t bytes;
  if (!line.Number(&arenas) || !line.Skip(" arenas * ") ||
      !line.Number(&size) || !line.Skip(" bytes/arena")) {
    return false;
  }
  line.SkipSpaces();
  if (!line.Skip("=") || !line.Number(&bytes)) return false;
  stats->arenas = arenas;
  stats->arena_bytes = bytes;
  return true;
}

// "# bytes in allocated blocks        =            2,345,678"
inline bool TakeBlockBytes(Line line, MallocStats* stats) {
  if (!line.Skip("# bytes in allocated blocks")) return false;
  line.SkipSpaces();
  return line.Skip("=") && line.Number(&stats->block_bytes);
}

}  // namespace malloc_stats_internal

// False where the text does not have the arenas and the bytes in use.
inline bool ParseMallocStats(const char* text, std::size_t size,
                             MallocStats* stats) {
  using namespace malloc_stats_internal;
  *stats = {};
  bool has_arenas = false;
  bool has_blocks = false;
  const char* const end = text + size;
  for (const char* at = text; at != end && *at != '\0';) {
    Line line{at, at};
    while (line.end != end && *line.end != '\n' && *line.end != '\0') {
      ++line.end;
    }
    at = line.end;
    if (at != end && *at == '\n') ++at;
    if (TakeClass(line, stats)) continue;
    has_arenas = has_arenas || TakeArenas(line, stats);
    has_blocks = has_blocks || TakeBlockBytes(line, stats);
  }
  return has_arenas && has_blocks && stats->block_bytes <= stats->arena_bytes;
}

}  // namespace heapledger::preload
