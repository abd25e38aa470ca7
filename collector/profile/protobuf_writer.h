// SPDX-License-Identifier: Apache-2.0
// The wire format of protocol buffers, as far as profile.proto needs it:
// varints, and what is led by its length. A message is a string.
//
// By hand, as this is all there is to it: the protobuf library would be the
// largest dependency of the executable, for one message written in one place.
// https://protobuf.dev/programming-guides/encoding/
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace heapledger::collector {

class ProtobufWriter {
 public:
  // Zero is the default of a field, and is left out.
  void AddVarint(std::uint32_t field, std::uint64_t value) {
    if (value == 0) return;
    AppendTag(field, kVarint);
    AppendVarint(value);
  }
  // int64: a negative number takes ten bytes.
  void AddInt(std::uint32_t field, std::int64_t value) {
    AddVarint(field, static_cast<std::uint64_t>(value));
  }
  // A string, bytes or message; an empty one too, as it counts in a list.
  void AddBytes(std::uint32_t field, std::string_view bytes) {
    AppendTag(field, kLengthDelimited);
    AppendVarint(bytes.size());
    bytes_.append(bytes);
  }
  void AddMessage(std::uint32_t field, const ProtobufWriter& message) {
    AddBytes(field, message.bytes_);
  }
  // A packed list of numbers, zeros included.
  template <typename Number>
  void AddPacked(std::uint32_t field, std::span<const Number> values) {
    ProtobufWriter list;
    for (const Number value : values) {
      list.AppendVarint(static_cast<std::uint64_t>(value));
    }
    AddBytes(field, list.bytes_);
  }

  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  void Clear() { bytes_.clear(); }

 private:
  static constexpr std::uint32_t kVarint = 0;
  static constexpr std::uint32_t kLengthDelimited = 2;

  void AppendTag(std::uint32_t field, std::uint32_t wire_type) {
    AppendVarint(field << 3 | wire_type);
  }
  void AppendVarint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) {
      bytes_ += static_cast<char>(value | 0x80);
    }
    bytes_ += static_cast<char>(value);
  }

  std::string bytes_;
};

}  // namespace heapledger::collector
