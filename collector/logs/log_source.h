// SPDX-License-Identifier: Apache-2.0
// Where log lines come from.
//
// Thread safety: Poll() from one thread at a time; state() from the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "collector/logs/log_line.h"

namespace heapledger::collector::logs {

struct SourceState {
  std::string name;  // "kmsg", "journal", or the file or pattern as given
  bool readable = false;
  std::string problem;  // why not, in one sentence; empty where it is
  std::uint64_t lines = 0;
  std::uint64_t lost = 0;  // records that were overwritten before we read them
  std::uint64_t cut = 0;   // lines that were too long
};

using LineSink = std::function<void(const LogLine&)>;

enum class ReadFrom { kStart, kEnd };

class LogSource {
 public:
  virtual ~LogSource() = default;

  // Passes on what is there, about `budget_bytes` of it at most, and never
  // waits. Whether there may be more.
  [[nodiscard]] virtual bool Poll(std::size_t budget_bytes,
                                  const LineSink& sink) = 0;
  [[nodiscard]] virtual SourceState state() const = 0;
};

}  // namespace heapledger::collector::logs
