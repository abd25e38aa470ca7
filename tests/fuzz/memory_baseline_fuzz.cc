// SPDX-License-Identifier: Apache-2.0
// Baselines of memory, of anybody: no text may break the reader, and what it
// reads it writes so that it reads the same again, and can make rules of.
#include <cstdint>
#include <string>
#include <string_view>

#include "collector/baseline/baseline_file.h"
#include "collector/baseline/rules.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  namespace baseline = heapledger::collector::baseline;
  const auto first = baseline::ParseBaseline(
      {reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!first.ok()) return 0;
  const std::string text = baseline::BaselineText(*first);
  const auto second = baseline::ParseBaseline(text, "again");
  if (!second.ok() || baseline::BaselineText(*second) != text) {
    __builtin_trap();
  }
  (void)baseline::RulesText(*first, "fuzz", {.minimum_samples = 2});
  return 0;
}
