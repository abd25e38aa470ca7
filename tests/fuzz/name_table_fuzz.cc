// SPDX-License-Identifier: Apache-2.0
// Any bytes as a file of the name cache: raw, and as the body behind a header
// with the right length and checksum. What is taken must survive a round trip.
#include <zlib.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "symbolizer/name_table.h"

namespace {

using heapledger::symbolizer::NameTable;

void Check(std::string_view bytes) {
  const auto table = NameTable::Decode(bytes);
  if (!table.ok()) return;
  const auto again = NameTable::Decode(table->Encode());
  if (!again.ok() || again->names != table->names ||
      again->identity != table->identity) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Check(bytes);
  std::string file = "hlnames1";
  const auto length = static_cast<std::uint32_t>(size);
  const auto crc = static_cast<std::uint32_t>(crc32_z(0, data, size));
  for (const std::uint32_t word : {length, crc}) {
    file.append(reinterpret_cast<const char*>(&word), sizeof word);
  }
  Check(file.append(bytes));
  return 0;
}
