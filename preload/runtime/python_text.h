// SPDX-License-Identifier: Apache-2.0
// Strings of CPython -> UTF-8 in a buffer of ours. Only compact ones are read,
// which names and file names of code objects are.
//
// Memory, here and in the neighbours: memory.Copy(address, to, bytes) copies
// bytes of the target and says whether it could; memory.Word(address) is a load
// of 8 bytes that are known to be there.
#pragma once

#include <cstddef>
#include <cstdint>

#include "preload/runtime/cpython_layout.h"

namespace heapledger::preload {

// Which end of a text that does not fit is kept.
enum class KeepEnd : std::uint8_t { kFront, kBack };

struct CopiedText {
  std::uint32_t bytes = 0;
  bool truncated = false;
};

namespace internal {

// Bytes of a code point in UTF-8; lone surrogates become U+FFFD, which is as
// long.
constexpr std::uint32_t Utf8Bytes(std::uint32_t c) {
  if (c < 0x80) return 1;
  if (c < 0x800) return 2;
  return c < 0x10000 ? 3 : 4;
}

constexpr char* PutUtf8(std::uint32_t c, char* out) {
  if (c >= 0xd800 && c < 0xe000) c = 0xfffd;
  const auto put = [&out](std::uint32_t byte) {
    *out++ = static_cast<char>(byte);
  };
  switch (Utf8Bytes(c)) {
    case 1:
      put(c);
      break;
    case 2:
      put(0xc0 | c >> 6);
      put(0x80 | (c & 0x3f));
      break;
    case 3:
      put(0xe0 | c >> 12);
      put(0x80 | (c >> 6 & 0x3f));
      put(0x80 | (c & 0x3f));
      break;
    default:
      put(0xf0 | (c >> 18 & 7));
      put(0x80 | (c >> 12 & 0x3f));
      put(0x80 | (c >> 6 & 0x3f));
      put(0x80 | (c & 0x3f));
  }
  return out;
}

}  // namespace internal

// Copies the string object at `text` into `out`, `capacity` bytes of room, not
// terminated. Nothing where it is no compact string or cannot be read.
template <typename Memory>
CopiedText CopyPythonText(const CpythonLayout& layout, const Memory& memory,
                          std::uint64_t text, char* out, std::uint32_t capacity,
                          KeepEnd keep) {
  constexpr std::uint32_t kCompact = 1U << 5;
  constexpr std::uint32_t kAscii = 1U << 6;
  // Longer ones are no names; also bounds the work.
  constexpr std::uint64_t kMaximumLength = 1 << 16;
  CopiedText result;
  std::uint64_t length = 0;
  std::uint32_t state = 0;
  if (!memory.Copy(text + kPyTextLengthOffset, &length, sizeof length) ||
      !memory.Copy(text + kPyTextStateOffset, &state, sizeof state)) {
    return result;
  }
  const std::uint32_t width = state >> 2 & 7;
  if ((state & kCompact) == 0 || (width != 1 && width != 2 && width != 4) ||
      length > kMaximumLength) {
    return result;
  }
  const std::uint64_t data =
      text + ((state & kAscii) != 0 ? layout.text.ascii : layout.text.compact);
  // A character takes a byte at least, so no more of them can fit.
  std::uint64_t from = 0;
  std::uint64_t end = length;
  if (length > capacity) {
    result.truncated = true;
    if (keep == KeepEnd::kFront) end = capacity;
    if (keep == KeepEnd::kBack) from = length - capacity;
  }
  constexpr std::uint32_t kPiece = 64;
  std::uint32_t needed = 0;
  const auto for_each = [&](auto&& visit) {
    std::uint8_t piece[kPiece * 4];
    for (std::uint64_t at = from; at < end;) {
      const std::uint64_t count = end - at < kPiece ? end - at : kPiece;
      if (!memory.Copy(data + at * width, piece, count * width)) return false;
      for (std::uint64_t i = 0; i < count; ++i) {
        std::uint32_t c = 0;
        for (std::uint32_t b = 0; b < width; ++b) {
          c |= std::uint32_t{piece[i * width + b]} << (8 * b);
        }
        visit(c);
      }
      at += count;
    }
    return true;
  };
  if (!for_each([&](std::uint32_t c) { needed += internal::Utf8Bytes(c); })) {
    return {};
  }
  // What has to go at the end that is not kept.
  std::uint32_t surplus = needed > capacity ? needed - capacity : 0;
  if (surplus != 0) result.truncated = true;
  char* to = out;
  const bool whole = for_each([&](std::uint32_t c) {
    const std::uint32_t bytes = internal::Utf8Bytes(c);
    if (keep == KeepEnd::kBack && surplus != 0) {
      surplus = bytes < surplus ? surplus - bytes : 0;
      return;
    }
    const auto room = static_cast<std::uint32_t>(out + capacity - to);
    if (bytes > room) return;
    to = internal::PutUtf8(c, to);
  });
  if (!whole) return {};
  result.bytes = static_cast<std::uint32_t>(to - out);
  return result;
}

}  // namespace heapledger::preload
