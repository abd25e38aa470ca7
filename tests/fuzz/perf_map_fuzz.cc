// SPDX-License-Identifier: Apache-2.0
// Any bytes as a perf map.
#include <cstdint>
#include <string_view>

#include "symbolizer/perf_map.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto map = heapledger::symbolizer::PerfMap::Parse(text);
  for (std::uint64_t address : {0x0, 0x100, 0x7f0010, -1}) {
    (void)map.Find(address).size();
  }
  return 0;
}
