// SPDX-License-Identifier: Apache-2.0
// Pattern files of anybody: no text may break the reader or the compiler of
// expressions, and what is read keeps to its bounds.
#include <cstdint>
#include <string>
#include <string_view>

#include "collector/logs/pattern_config.h"
#include "collector/logs/pattern_table.h"

namespace heapledger::collector::logs {
namespace {

void Run(std::string_view text) {
  auto patterns = ParsePatternConfig(std::string(text), "fuzz");
  if (!patterns.ok()) {
    if (patterns.status().message().empty()) __builtin_trap();
    return;
  }
  if (patterns->size() > kMaxUserPatterns + BuiltInPatterns().size()) {
    __builtin_trap();
  }
  // The built-in ones are as they are; compiling them each time is slow.
  std::erase_if(*patterns, [](const Pattern& pattern) {
    return pattern.wordings.size() != 1;
  });
  const auto table = PatternTable::Compile(*std::move(patterns));
  if (!table.ok()) return;
  (void)(*table)->Match(ParseLine(text));
}

}  // namespace
}  // namespace heapledger::collector::logs

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  heapledger::collector::logs::Run({reinterpret_cast<const char*>(data), size});
  return 0;
}
