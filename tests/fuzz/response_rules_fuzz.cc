// SPDX-License-Identifier: Apache-2.0
// Rules files of anybody: no text may break the reader, and what is read keeps
// to its bounds and can be replayed.
#include <cstdint>
#include <string>
#include <string_view>

#include "collector/response/history.h"
#include "collector/response/rules_config.h"

namespace heapledger::collector::response {
namespace {

void Run(std::string_view text) {
  const auto rules = ParseRules(std::string(text), "fuzz");
  if (!rules.ok()) {
    if (rules.status().message().empty()) __builtin_trap();
    return;
  }
  if (rules->rules.empty() || rules->rules.size() > kMaxRules) {
    __builtin_trap();
  }
  for (const Rule& rule : rules->rules) {
    Level last = Level::kNone;
    for (const Action& action : rule.actions) {
      if (action.name.empty() || action.level < last) __builtin_trap();
      last = action.level;
    }
    for (const Threshold& threshold : rule.thresholds) {
      // What is entered is held, or a level would flap at one value.
      if (!threshold.Held(threshold.enter)) __builtin_trap();
    }
  }
  History history;
  for (int i = 0; i < 20; ++i) {
    HistoryRow row;
    row.at = std::chrono::seconds(i);
    row.reading.target.process = "db";
    row.reading.reading[Quantity::kUsage] = i % 10 < 5 ? 1.0 : 0.0;
    history.rows.push_back(row);
  }
  for (const Event& event : Replay(*rules, history)) {
    if (event.text.empty()) __builtin_trap();
  }
}

}  // namespace
}  // namespace heapledger::collector::response

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  heapledger::collector::response::Run(
      {reinterpret_cast<const char*>(data), size});
  return 0;
}
