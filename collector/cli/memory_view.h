// SPDX-License-Identifier: Apache-2.0
// A look at a process' memory as lines for a person and as JSON: where its
// resident memory goes, whether that is a leak or merely not given back, and
// what the last trim did.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "collector/cli/memory_look.h"

namespace heapledger::collector::cli {

// What is known of the memory of the process of a report.
struct MemoryFacts {
  std::optional<MemoryLook> look;
  std::string why_not;  // no look: the reason and the remedy; may be empty
  bool ended = false;   // the ledger is all there is
};

// "leak or retained?": one sentence, without a line break.
[[nodiscard]] std::string VerdictSentence(const LedgerSnapshot& snapshot,
                                          const MemoryLook& look);

// The same of a process that ended, by its ledger alone: whether what it had at
// its peak was freed before the end. Empty where that cannot be told, or is too
// little for a word.
[[nodiscard]] std::string EndSentence(const LedgerSnapshot& snapshot);

// Lines of a report's head, each with its end; empty where nothing is known.
[[nodiscard]] std::string MemoryLines(const LedgerSnapshot& snapshot,
                                      const MemoryFacts& facts);

// allocator, resident_parts, verdict, would_return_bytes, size_classes, trim.
[[nodiscard]] nlohmann::ordered_json MemoryJson(const LedgerSnapshot& snapshot,
                                                const MemoryFacts& facts);

}  // namespace heapledger::collector::cli
