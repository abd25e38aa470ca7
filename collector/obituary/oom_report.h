// SPDX-License-Identifier: Apache-2.0
// What the kernel's log says of deaths: the report of its OOM killer (whose
// limit, how full, who else was big, who was chosen) and the lines on faults
// that no handler took.
//
// The report is some eighty records, in one piece but for records of others in
// between; mm/oom_kill.c and mm/memcontrol.c write it. Read are Linux 4.19 to
// 6.18: columns of the task table are found by their names.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collector/logs/log_line.h"

namespace heapledger::collector::obituary {

// A row of the report's table, or one that was killed. Figures in bytes.
struct OomTask {
  std::uint32_t pid = 0;
  std::uint32_t uid = 0;
  std::string name;  // 15 bytes of it
  std::uint64_t resident_bytes = 0;
  std::uint64_t swap_bytes = 0;
  int score_adjustment = 0;
};

struct OomReport {
  std::uint64_t realtime_ns = 0;  // of its last record
  std::string invoked_by;         // whose request could not be met
  // "CONSTRAINT_MEMCG", "CONSTRAINT_NONE" and so on; empty before Linux 4.19
  std::string constraint;
  std::string limit_cgroup;  // whose limit was met; empty: the host's
  std::string task_cgroup;   // of the one that was chosen
  // Of limit_cgroup.
  std::optional<std::uint64_t> usage_bytes;
  std::optional<std::uint64_t> limit_bytes;
  std::optional<std::uint64_t> failures;
  std::vector<OomTask> tasks;  // the largest ones, most resident first
  std::size_t all_tasks = 0;
  std::vector<OomTask> killed;  // more than one where a group dies as a whole
};

// "segfault", "general protection fault" and so on, of one process.
struct FaultLine {
  std::uint64_t realtime_ns = 0;
  std::uint32_t pid = 0;  // of the thread
  std::string name;
  int signal = 0;
  std::string text;
};

class KernelDeaths {
 public:
  static constexpr std::size_t kMaxReports = 32;
  static constexpr std::size_t kMaxFaults = 128;
  static constexpr std::size_t kMaxTasks = 16;   // of a report
  static constexpr std::size_t kMaxKilled = 64;  // of a report

  // Lines in the order in which they came; those that are not the kernel's own
  // are passed over.
  void Add(const logs::LogLine& line);

  // Oldest first; the oldest go where there are too many.
  [[nodiscard]] const std::vector<OomReport>& reports() const {
    return reports_;
  }
  [[nodiscard]] const std::vector<FaultLine>& faults() const { return faults_; }

 private:
  struct Table {  // of the report under way; places of columns, -1: none
    int pid = -1, uid = -1, resident = -1, swap = -1, score = -1, name = -1;
  };

  void Begin(const logs::LogLine& line);
  OomReport& Open(const logs::LogLine& line);
  void AddHeading(std::string_view text);
  void AddTask(std::string_view text);
  void AddChoice(std::string_view text, OomReport& report);
  bool AddKilled(const logs::LogLine& line);
  bool AddFault(const logs::LogLine& line);

  std::vector<OomReport> reports_;
  std::vector<FaultLine> faults_;
  bool open_ = false;  // whether reports_.back() is still being told
  std::optional<Table> table_;
};

}  // namespace heapledger::collector::obituary
