// SPDX-License-Identifier: Apache-2.0
// How bad what a log line says is; the words are those of alerts and labels.
#pragma once

#include <optional>
#include <string_view>

namespace heapledger::collector::logs {

enum class Severity { kLow, kMedium, kHigh, kCritical };

[[nodiscard]] constexpr std::string_view SeverityWord(Severity severity) {
  switch (severity) {
    case Severity::kLow:
      return "low";
    case Severity::kMedium:
      return "medium";
    case Severity::kHigh:
      return "high";
    case Severity::kCritical:
      break;
  }
  return "critical";
}

// None where the word is no severity.
[[nodiscard]] constexpr std::optional<Severity> SeverityOf(
    std::string_view word) {
  for (const Severity severity : {Severity::kLow, Severity::kMedium,
                                  Severity::kHigh, Severity::kCritical}) {
    if (SeverityWord(severity) == word) return severity;
  }
  return std::nullopt;
}

}  // namespace heapledger::collector::logs
