// SPDX-License-Identifier: Apache-2.0
// Files of tag rules of anybody: no text may break the reader or the compiler
// of patterns, and what is read keeps to its bounds.
#include <cstdint>
#include <string>
#include <string_view>

#include "collector/tags/tag_config.h"

namespace heapledger::collector {
namespace {

void Run(std::string_view text) {
  const auto config = ParseTagConfig(std::string(text), "fuzz");
  if (!config.ok()) {
    if (config.status().message().empty()) __builtin_trap();
    return;
  }
  if (config->metrics.size() >
      kMaxApplicationMetrics + DefaultApplicationMetrics().size()) {
    __builtin_trap();
  }
  if (config->rules == nullptr) return;
  if (config->rules->rules().size() > kMaxTagRules) __builtin_trap();
  ResolvedFrame frame;
  frame.function = frame.module = frame.file = std::string(text);
  (void)config->rules->Fitting(frame);
}

}  // namespace
}  // namespace heapledger::collector

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  heapledger::collector::Run({reinterpret_cast<const char*>(data), size});
  return 0;
}
