// SPDX-License-Identifier: Apache-2.0
// Any bytes as a jitdump. What it claims to have loaded must be found again or
// lie under what came later.
#include <cstdint>
#include <string_view>

#include "symbolizer/jitdump.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto dump = heapledger::symbolizer::JitDump::Parse(bytes);
  if (!dump.ok()) return 0;
  if (dump->entries() > size) __builtin_trap();
  // Addresses out of the input are likely to be those of code.
  for (std::size_t at = 0; at + 8 <= size; at += 8) {
    std::uint64_t address = 0;
    __builtin_memcpy(&address, data + at, sizeof address);
    if (const auto place = dump->Find(address)) {
      if (place->function.size() + place->file.size() > size) __builtin_trap();
    }
  }
  return 0;
}
