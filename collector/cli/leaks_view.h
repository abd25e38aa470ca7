// SPDX-License-Identifier: Apache-2.0
// Suspects as a person reads them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "collector/leaks/process_leaks.h"
#include "collector/ledger/naming.h"

namespace heapledger::collector::cli {

enum class StackLines { kNone, kAll };

struct LeaksTextOptions {
  StackLines stacks = StackLines::kNone;
  std::optional<std::uint64_t> limit_bytes;  // of the process; for forecasts
};

[[nodiscard]] std::string LeaksText(const ProcessLeakView& leaks,
                                    const LeaksTextOptions& options,
                                    FrameNames& names);

// "rose too, and why it is no suspect", a line each; empty where none did.
[[nodiscard]] std::string AcquittedText(const std::vector<Acquitted>& others);

}  // namespace heapledger::collector::cli
