// SPDX-License-Identifier: Apache-2.0
// A cursor over untrusted bytes. Every read is checked against the range; the
// first that does not fit, or whose encoding is not supported, fails the reader
// for good: it then yields zeros and stays where it is. So a parser may read a
// whole record and ask ok() once, and a loop must ask in its condition.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace heapledger::preload::unwind {

// Addresses that may be read: [start, end).
struct ByteRange {
  std::uint64_t start = 0;
  std::uint64_t end = 0;

  [[nodiscard]] constexpr bool Contains(std::uint64_t address,
                                        std::uint64_t bytes) const {
    return address >= start && address <= end && bytes <= end - address;
  }
  [[nodiscard]] constexpr std::uint64_t size() const {
    return end > start ? end - start : 0;
  }
};

// How a pointer is written (DW_EH_PE_…, LSB Core, "DWARF Extensions").
inline constexpr std::uint8_t kEncodingOmit = 0xff;
inline constexpr std::uint8_t kEncodingFormatMask = 0x0f;
inline constexpr std::uint8_t kEncodingBaseMask = 0x70;
inline constexpr std::uint8_t kEncodingIndirect = 0x80;
inline constexpr std::uint8_t kEncodingPcRelative = 0x10;
inline constexpr std::uint8_t kEncodingDataRelative = 0x30;
inline constexpr std::uint8_t kEncodingSigned4 = 0x0b;

class ByteReader {
 public:
  constexpr explicit ByteReader(ByteRange range)
      : ByteReader(range, range.start) {}
  constexpr ByteReader(ByteRange range, std::uint64_t position)
      : range_(range), position_(position) {
    if (!range_.Contains(position_, 0)) Fail();
  }

  [[nodiscard]] constexpr bool ok() const { return ok_; }
  [[nodiscard]] constexpr bool AtEnd() const {
    return !ok_ || position_ == range_.end;
  }
  [[nodiscard]] constexpr std::uint64_t position() const { return position_; }
  constexpr void Fail() { ok_ = false; }

  template <typename T>
  T Read() {
    static_assert(std::is_integral_v<T>);
    T value = 0;
    if (!Claim(sizeof(T))) return value;
    __builtin_memcpy(&value,
                     reinterpret_cast<const void*>(position_ - sizeof(T)),
                     sizeof(T));
    return value;
  }

  // LEB128; bits past the 64th are dropped, a number past ten bytes fails.
  std::uint64_t ReadUnsignedLeb() { return ReadLeb(nullptr); }
  std::int64_t ReadSignedLeb() {
    std::uint64_t sign_extension = 0;
    const std::uint64_t value = ReadLeb(&sign_extension);
    return static_cast<std::int64_t>(value | sign_extension);
  }

  void Skip(std::uint64_t bytes) { (void)Claim(bytes); }

  // The next `bytes` bytes as a range of their own; empty if they do not fit.
  ByteRange Take(std::uint64_t bytes) {
    if (!Claim(bytes)) return {};
    return {position_ - bytes, position_};
  }

  // A pointer in one of the encodings; `data_base` is what data-relative ones
  // count from (0 = not supported here). Indirect pointers are not followed:
  // they fail, as do text- and function-relative ones, which nobody emits.
  std::uint64_t ReadEncoded(std::uint8_t encoding, std::uint64_t data_base) {
    std::uint64_t base = 0;
    switch (encoding & (kEncodingBaseMask | kEncodingIndirect)) {
      case 0:
        break;
      case kEncodingPcRelative:
        base = position_;
        break;
      case kEncodingDataRelative:
        if (data_base == 0) Fail();
        base = data_base;
        break;
      default:
        Fail();
    }
    return base + ReadFormat(encoding & kEncodingFormatMask);
  }

  // The number alone, as lengths are written.
  std::uint64_t ReadFormat(std::uint8_t format) {
    switch (format) {
      case 0x00:  // absptr
      case 0x04:  // udata8
      case 0x0c:  // sdata8
        return Read<std::uint64_t>();
      case 0x01:
        return ReadUnsignedLeb();
      case 0x02:
        return Read<std::uint16_t>();
      case 0x03:
        return Read<std::uint32_t>();
      case 0x09:
        return static_cast<std::uint64_t>(ReadSignedLeb());
      case 0x0a:
        return static_cast<std::uint64_t>(
            static_cast<std::int64_t>(Read<std::int16_t>()));
      case kEncodingSigned4:
        return static_cast<std::uint64_t>(
            static_cast<std::int64_t>(Read<std::int32_t>()));
      default:
        Fail();
        return 0;
    }
  }

 private:
  constexpr bool Claim(std::uint64_t bytes) {
    if (!ok_ || bytes > range_.end - position_) {
      Fail();
      return false;
    }
    position_ += bytes;
    return true;
  }

  std::uint64_t ReadLeb(std::uint64_t* sign_extension) {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      const auto byte = Read<std::uint8_t>();
      if (!ok_) return 0;
      if (shift < 64) value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) {
        if (sign_extension != nullptr && (byte & 0x40) != 0 && shift + 7 < 64) {
          *sign_extension = ~0ULL << (shift + 7);
        }
        return value;
      }
    }
    Fail();
    return 0;
  }

  ByteRange range_;
  std::uint64_t position_;
  bool ok_ = true;
};

}  // namespace heapledger::preload::unwind
