// SPDX-License-Identifier: Apache-2.0
// systemd's journal, by way of journalctl: its files have a format of their
// own, are rotated by their own rules and may be compressed or sealed, and the
// only library that knows them would come with all of libsystemd. A child costs
// a pipe, and where it dies it is started anew.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "collector/logs/log_source.h"

namespace heapledger::collector::logs {

// An entry owns its text: JSON escapes it.
struct JournalEntry {
  std::string program;
  std::string text;
  std::uint32_t pid = 0;
  std::uint64_t realtime_ns = 0;
};

// A line of `journalctl -o json`. None where it is no entry, or one whose
// message is too large to be shown. The program is what the entry calls
// itself; "kernel" only where the journal got it from the kernel.
[[nodiscard]] std::optional<JournalEntry> ParseJournalEntry(
    std::string_view line);

// `program` is looked for in PATH.
[[nodiscard]] std::unique_ptr<LogSource> MakeJournalSource(
    ReadFrom from, const std::string& program = "journalctl");

}  // namespace heapledger::collector::logs
