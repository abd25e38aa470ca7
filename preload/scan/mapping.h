// SPDX-License-Identifier: Apache-2.0
// Lines of /proc/PID/maps, as far as a scan wants to know them.
//
//   7f2a3c000000-7f2a3c021000 rw-p 00000000 00:00 0          [heap]
//   start        end          perm offset   dev   inode      name
#pragma once

#include <cstddef>
#include <cstdint>

namespace heapledger::preload::scan {

struct Mapping {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  bool readable = false;
  bool writable = false;
  bool shared = false;
  // What lies behind it: a file with an inode, be it in memory only.
  bool file = false;
  enum class Kind : std::uint8_t {
    kPlain,
    kHeap,        // the kernel's name for the brk area
    kStack,       // of the main thread
    kKernel,      // [vdso] and its kin
    kMemoryFile,  // memfd, shared anonymous memory, System V, /dev/shm
    kDevice,      // reading it may have effects
  } kind = Kind::kPlain;

  [[nodiscard]] bool anonymous() const { return !file; }
};

namespace internal {

struct LineReader {
  const char* at;
  const char* end;

  std::uint64_t Hex() {
    std::uint64_t value = 0;
    for (; at < end; ++at) {
      const char c = *at;
      if (c >= '0' && c <= '9') {
        value = value * 16 + static_cast<std::uint64_t>(c - '0');
      } else if (c >= 'a' && c <= 'f') {
        value = value * 16 + static_cast<std::uint64_t>(c - 'a' + 10);
      } else {
        break;
      }
    }
    return value;
  }
  bool Skip(char c) {
    if (at == end || *at != c) return false;
    ++at;
    return true;
  }
  void SkipField() {
    while (at < end && *at != ' ') ++at;
    while (at < end && *at == ' ') ++at;
  }
  [[nodiscard]] bool StartsWith(const char* prefix) const {
    const char* text = at;
    for (; *prefix != '\0'; ++prefix, ++text) {
      if (text == end || *text != *prefix) return false;
    }
    return true;
  }
};

inline Mapping::Kind KindOf(const LineReader& name) {
  if (name.StartsWith("[heap]")) return Mapping::Kind::kHeap;
  if (name.StartsWith("[stack]")) return Mapping::Kind::kStack;
  if (name.StartsWith("[v") || name.StartsWith("[uprobes]")) {
    return Mapping::Kind::kKernel;
  }
  if (name.StartsWith("/memfd:") || name.StartsWith("/SYSV") ||
      name.StartsWith("/dev/zero") || name.StartsWith("/dev/shm/")) {
    return Mapping::Kind::kMemoryFile;
  }
  if (name.StartsWith("/dev/") || name.StartsWith("anon_inode:")) {
    return Mapping::Kind::kDevice;
  }
  return Mapping::Kind::kPlain;
}

}  // namespace internal

// Reads one line without its end. False where it is none.
inline bool ParseMapping(const char* line, std::size_t size, Mapping* mapping) {
  internal::LineReader reader{line, line + size};
  mapping->start = reader.Hex();
  if (!reader.Skip('-')) return false;
  mapping->end = reader.Hex();
  if (!reader.Skip(' ') || reader.end - reader.at < 5) return false;
  mapping->readable = reader.at[0] == 'r';
  mapping->writable = reader.at[1] == 'w';
  mapping->shared = reader.at[3] == 's';
  reader.SkipField();  // permissions
  reader.SkipField();  // offset
  reader.SkipField();  // device
  mapping->file = reader.at < reader.end && *reader.at != '0';
  reader.SkipField();  // inode
  mapping->kind = internal::KindOf(reader);
  return mapping->start < mapping->end;
}

// Cuts a stream of bytes into lines. Of a line only the beginning is kept:
// whatever counts of a name is in it.
class MappingReader {
 public:
  // Calls `visit(mapping)` for every line that ends in `text`. False where a
  // line is none.
  template <typename Visit>
  bool Feed(const char* text, std::size_t size, Visit&& visit) {
    for (std::size_t i = 0; i < size; ++i) {
      if (text[i] != '\n') {
        if (filled_ < sizeof line_) line_[filled_++] = text[i];
        continue;
      }
      Mapping mapping;
      if (!ParseMapping(line_, filled_, &mapping)) return false;
      filled_ = 0;
      visit(mapping);
    }
    return true;
  }

 private:
  char line_[128] = {};
  std::size_t filled_ = 0;
};

}  // namespace heapledger::preload::scan
