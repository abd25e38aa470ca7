// SPDX-License-Identifier: Apache-2.0
// Memory of an interpreter that is not there: bytes at addresses.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <string_view>

namespace heapledger::testing {

class FakeMemory {
 public:
  template <typename Number>
  void Put(std::uint64_t address, Number value) {
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    PutBytes(address, {bytes, sizeof bytes});
  }
  void PutBytes(std::uint64_t address, std::string_view bytes) {
    for (const char byte : bytes) bytes_[address++] = byte;
  }

  bool Copy(std::uint64_t address, void* to, std::size_t bytes) const {
    for (std::size_t i = 0; i < bytes; ++i) {
      const auto found = bytes_.find(address + i);
      if (found == bytes_.end()) return false;
      static_cast<char*>(to)[i] = found->second;
    }
    return true;
  }
  // What was not put is zero.
  [[nodiscard]] std::uint64_t Word(std::uint64_t address) const {
    std::uint64_t word = 0;
    for (std::uint64_t i = 0; i < 8; ++i) {
      const auto found = bytes_.find(address + i);
      const auto byte =
          static_cast<unsigned char>(found == bytes_.end() ? 0 : found->second);
      word |= std::uint64_t{byte} << (8 * i);
    }
    return word;
  }

 private:
  std::map<std::uint64_t, char> bytes_;
};

}  // namespace heapledger::testing
