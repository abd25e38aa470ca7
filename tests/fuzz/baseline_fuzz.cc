// SPDX-License-Identifier: Apache-2.0
// Baselines of anybody: no text may break the parser, and what it reads it
// writes so that it reads the same again.
#include <cstdint>
#include <string>
#include <string_view>

#include "collector/gate/baseline.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  namespace gate = heapledger::collector::gate;
  const auto first =
      gate::ParseBaseline({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!first.ok()) return 0;
  const std::string text = gate::BaselineText(*first);
  const auto second = gate::ParseBaseline(text, "again");
  if (!second.ok() || gate::BaselineText(*second) != text) __builtin_trap();
  return 0;
}
