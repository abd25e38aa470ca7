// SPDX-License-Identifier: Apache-2.0
// What the logs have said since the collector began: how often each pattern
// came, when first and last, and who was killed.
//
// Thread safety: Book() from one thread at a time; view() from any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "collector/logs/log_line.h"
#include "collector/logs/pattern_table.h"

namespace heapledger::collector::logs {

struct PatternRecord {
  std::string name;
  Severity severity = Severity::kMedium;
  std::string description;
  std::uint64_t count = 0;
  std::uint64_t first_seen_ns = 0;  // Unix time; 0: never
  std::uint64_t last_seen_ns = 0;
  std::string last_source;
  std::string last_program;
  std::string last_text;  // as it came, cut at LogBook::kMaxText
};

struct Kill {
  std::string process;    // as the killer names it: a program, or a cgroup
  std::uint32_t pid = 0;  // 0 where not told
  std::uint64_t realtime_ns = 0;
  std::string source;
  std::string text;
};

struct LogView {
  std::vector<PatternRecord> patterns;         // all, in the table's order
  std::map<std::string, std::uint64_t> kills;  // by process
  std::vector<Kill> last_kills;                // the latest last
};

// The product's own words, which must not be counted: they would make more.
[[nodiscard]] bool IsOurs(const LogLine& line);

class LogBook {
 public:
  static constexpr std::size_t kMaxText = 512;
  static constexpr std::size_t kMaxKills = 64;      // that are listed
  static constexpr std::size_t kMaxProcesses = 64;  // with a count of their own
  // Stands for the processes beyond that.
  static constexpr char kOtherProcesses[] = "_other";
  // The kernel's log may come by several ways (kmsg, journal, a file of
  // syslog's); one kill that two of them tell within this time is one.
  static constexpr std::uint64_t kSameKillNs = 30'000'000'000;

  explicit LogBook(std::unique_ptr<const PatternTable> table);

  // `now_ns` (Unix time) counts where the line does not tell its own.
  void Book(const std::string& source, const LogLine& line,
            std::uint64_t now_ns);

  // Never null.
  [[nodiscard]] std::shared_ptr<const LogView> view() const;

 private:
  void BookKill(const std::string& source, const PatternMatch& match,
                const LogLine& line, std::uint64_t time_ns);
  bool Known(const Kill& kill) const;

  const std::unique_ptr<const PatternTable> table_;
  mutable std::mutex mutex_;  // guards view_, which is replaced, never changed
  std::shared_ptr<const LogView> view_;
  std::shared_ptr<LogView> next_;  // of the booking thread, until published
};

}  // namespace heapledger::collector::logs
