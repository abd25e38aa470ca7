// SPDX-License-Identifier: Apache-2.0
// Suppression files of anybody: no text may break the parser or the matcher,
// and a rule that was read keeps its line.
//
// Input: the file; what follows its first NUL is a function's name to match.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "collector/gate/suppressions.h"

namespace heapledger::collector::gate {
namespace {

void Run(std::string_view input) {
  const std::size_t end = input.find('\0');
  const std::string_view file = input.substr(0, end);
  Suppressions rules;
  (void)SuppressionsOption(file);
  if (!rules.Add(file, "fuzz").ok()) {
    if (!rules.rules().empty()) __builtin_trap();
    return;
  }
  Finding finding;
  finding.stack.push_back({"main", "main.c", 1, "prog", "/bin/prog"});
  if (end != std::string_view::npos) {
    finding.stack[0].function = std::string(input.substr(end + 1));
  }
  const Day today{std::chrono::year(2026), std::chrono::month(1),
                  std::chrono::day(1)};
  std::vector<std::size_t> expired;
  const auto match = rules.Match(finding, today, &expired);
  if (match && !Fits(rules.rules()[*match], finding)) __builtin_trap();
  int line = 0;
  for (const SuppressionRule& rule : rules.rules()) {
    if (rule.line <= line) __builtin_trap();
    line = rule.line;
    if (rule.expires && !ParseDay(DayText(*rule.expires))) __builtin_trap();
    if (rule.pattern.find('\n') != std::string::npos) __builtin_trap();
  }
}

}  // namespace
}  // namespace heapledger::collector::gate

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  heapledger::collector::gate::Run({reinterpret_cast<const char*>(data), size});
  return 0;
}
