// SPDX-License-Identifier: Apache-2.0
#include "collector/obituary/oom_report.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "absl/strings/numbers.h"
#include "collector/system/numbers.h"

namespace heapledger::collector::obituary {
namespace {

constexpr std::uint64_t kKib = 1024;
// A kill that follows a report this much later is another's.
constexpr std::uint64_t kReportNs = 10'000'000'000;
// "no limit" is the largest multiple of the page size.
constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 62;

std::uint64_t PageBytes() {
  static const auto bytes = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

std::uint64_t Times(std::uint64_t number, std::uint64_t unit) {
  return number > UINT64_MAX / unit ? UINT64_MAX : number * unit;
}

// The number behind `word`; none where there is none.
std::optional<std::uint64_t> NumberAfter(std::string_view text,
                                         std::string_view word) {
  const std::size_t at = text.find(word);
  if (at == std::string_view::npos) return std::nullopt;
  text.remove_prefix(at + word.size());
  const std::size_t digits = text.find_first_not_of("0123456789");
  return ParseNumber(text.substr(0, digits));
}

std::optional<std::uint64_t> KibAfter(std::string_view text,
                                      std::string_view word) {
  const auto number = NumberAfter(text, word);
  if (!number) return std::nullopt;
  return Times(*number, kKib);
}

std::string_view Between(std::string_view text, std::string_view word,
                         char end) {
  const std::size_t at = text.find(word);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + word.size());
  return text.substr(0, text.find(end));
}

int SignedNumber(std::string_view text) {
  int number = 0;
  (void)absl::SimpleAtoi(std::string(text), &number);
  return number;
}

std::uint32_t SmallNumber(std::string_view text) {
  const std::uint64_t number = ParseNumber(text).value_or(0);
  return number <= UINT32_MAX ? static_cast<std::uint32_t>(number) : 0;
}

// "name[123]: …"; the name may hold brackets itself.
bool SplitWho(std::string_view text, std::string_view what, FaultLine& fault) {
  const std::size_t at = text.find(what);
  if (at == std::string_view::npos) return false;
  const std::string_view who = text.substr(0, at);
  const std::size_t open = who.rfind('[');
  if (open == std::string_view::npos || !who.ends_with("]")) return false;
  fault.pid = SmallNumber(who.substr(open + 1, who.size() - open - 2));
  fault.name = who.substr(0, open);
  return fault.pid != 0;
}

}  // namespace

void KernelDeaths::Begin(const logs::LogLine& line) {
  if (reports_.size() == kMaxReports) reports_.erase(reports_.begin());
  reports_.emplace_back().realtime_ns = line.realtime_ns;
  open_ = true;
  table_.reset();
}

// The report that a record belongs to: the one under way, else a new one. Of a
// report that was told in part before we came only the end is there.
OomReport& KernelDeaths::Open(const logs::LogLine& line) {
  const bool same =
      open_ && line.realtime_ns <= reports_.back().realtime_ns + kReportNs;
  if (!same) Begin(line);
  OomReport& report = reports_.back();
  report.realtime_ns = std::max(report.realtime_ns, line.realtime_ns);
  return report;
}

void KernelDeaths::Add(const logs::LogLine& line) {
  if (line.program != "kernel") return;
  const std::string_view text = line.text;
  if (const std::size_t at = text.find(" invoked oom-killer: ");
      at != std::string_view::npos) {
    Begin(line);
    reports_.back().invoked_by = text.substr(0, at);
    return;
  }
  if (AddKilled(line) || AddFault(line)) return;
  if (text.starts_with("oom-kill:constraint=")) {
    AddChoice(text, Open(line));
    table_.reset();
    return;
  }
  if (!open_) return;
  OomReport& report = Open(line);
  if (text.starts_with("memory: usage ")) {
    report.usage_bytes = KibAfter(text, "usage ");
    report.limit_bytes = KibAfter(text, "limit ");
    if (report.limit_bytes.value_or(0) >= kNoLimit) report.limit_bytes.reset();
    report.failures = NumberAfter(text, "failcnt ");
  } else if (text.starts_with("[") && text.find("total_vm") != text.npos) {
    AddHeading(text);
  } else if (text.starts_with("[") && table_) {
    AddTask(text);
  }
}

// "[  pid  ]   uid  tgid total_vm      rss … oom_score_adj name": the words
// behind the bracket are those of a row behind its bracket.
void KernelDeaths::AddHeading(std::string_view text) {
  text.remove_prefix(std::min(text.find(']') + 1, text.size()));
  Table table;
  int place = 0;
  while (true) {
    const std::string_view word = NextWord(text);
    if (word.empty()) break;
    if (word == "tgid") table.pid = place;
    if (word == "uid") table.uid = place;
    if (word == "rss") table.resident = place;
    if (word == "swapents") table.swap = place;
    if (word == "oom_score_adj") table.score = place;
    if (word == "name") table.name = place;
    ++place;
  }
  table_.reset();
  if (table.pid >= 0 && table.resident >= 0 && table.name == place - 1) {
    table_ = table;
  }
}

void KernelDeaths::AddTask(std::string_view text) {
  const std::size_t close = text.find(']');
  if (close == std::string_view::npos) return;
  text.remove_prefix(close + 1);
  OomTask task;
  for (int place = 0; place < table_->name; ++place) {
    const std::string_view word = NextWord(text);
    if (place == table_->pid) task.pid = SmallNumber(word);
    if (place == table_->uid) task.uid = SmallNumber(word);
    const std::uint64_t number = ParseNumber(word).value_or(0);
    if (place == table_->resident) {
      task.resident_bytes = Times(number, PageBytes());
    }
    if (place == table_->swap) task.swap_bytes = Times(number, PageBytes());
    if (place == table_->score) task.score_adjustment = SignedNumber(word);
  }
  // A name may hold blanks, and stands last for that reason.
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  task.name = text;
  if (task.pid == 0) return;
  OomReport& report = reports_.back();
  ++report.all_tasks;
  const auto place =
      std::ranges::upper_bound(report.tasks, task.resident_bytes,
                               std::greater(), &OomTask::resident_bytes);
  report.tasks.insert(place, std::move(task));
  if (report.tasks.size() > kMaxTasks) report.tasks.pop_back();
}

// The path of a cgroup may hold a comma; the word behind it tells its end.
void KernelDeaths::AddChoice(std::string_view text, OomReport& report) {
  report.constraint = Between(text, "constraint=", ',');
  const auto until = [text](std::string_view word, std::string_view next) {
    const std::size_t begin = text.find(word);
    if (begin == std::string_view::npos) return std::string();
    const std::size_t from = begin + word.size();
    const std::size_t end = text.find(next, from);
    return std::string(text.substr(from, end - from));
  };
  report.limit_cgroup = until("oom_memcg=", ",task_memcg=");
  report.task_cgroup = until("task_memcg=", ",task=");
}

// "Memory cgroup out of memory: Killed process 12 (name) total-vm:1kB,
// anon-rss:2kB, file-rss:3kB, shmem-rss:4kB, UID:0 pgtables:1kB
// oom_score_adj:0"
bool KernelDeaths::AddKilled(const logs::LogLine& line) {
  const std::string_view text = line.text;
  constexpr std::string_view kKilled = "Killed process ";
  const std::size_t at = text.find(kKilled);
  const bool whose = at == 0 ||
                     text.starts_with("Memory cgroup out of memory") ||
                     text.starts_with("Out of memory");
  const std::size_t figures = text.rfind(" total-vm:");
  if (!whose || at == std::string_view::npos ||
      figures == std::string_view::npos || figures < at) {
    return false;
  }
  OomTask task;
  task.pid = static_cast<std::uint32_t>(std::min<std::uint64_t>(
      NumberAfter(text, kKilled).value_or(0), UINT32_MAX));
  // Before 5.3 the uid stood between name and figures.
  std::string_view who = text.substr(at, figures - at);
  const std::size_t open = who.find('(');
  const std::size_t close = who.rfind(')');
  if (task.pid == 0 || open == std::string_view::npos || close < open) {
    return false;
  }
  task.name = who.substr(open + 1, close - open - 1);
  const std::string_view tail = text.substr(figures);
  for (const char* part : {"anon-rss:", "file-rss:", "shmem-rss:"}) {
    task.resident_bytes += KibAfter(tail, part).value_or(0);
  }
  task.uid = SmallNumber(Between(tail, "UID:", ' '));
  task.score_adjustment = SignedNumber(Between(tail, "oom_score_adj:", ' '));
  OomReport& report = Open(line);
  if (report.constraint.empty() && text.starts_with("Memory cgroup")) {
    report.constraint = "CONSTRAINT_MEMCG";
  }
  if (report.killed.size() < kMaxKilled) report.killed.push_back(task);
  return true;
}

// arch/x86/mm/fault.c and arch/x86/kernel/traps.c:
//   name[12]: segfault at 8 ip … sp … error 6 in name[…]
//   traps: name[12] general protection fault ip:… sp:… error:0 in name[…]
bool KernelDeaths::AddFault(const logs::LogLine& line) {
  FaultLine fault;
  std::string_view text = line.text;
  if (SplitWho(text, ": segfault at ", fault)) {
    fault.signal = SIGSEGV;
  } else {
    constexpr std::string_view kTraps = "traps: ";
    if (!text.starts_with(kTraps)) return false;
    text.remove_prefix(kTraps.size());
    struct Trap {
      std::string_view words;
      int signal;
    };
    for (const Trap& trap : {Trap{" general protection fault ip:", SIGSEGV},
                             Trap{" trap invalid opcode ip:", SIGILL},
                             Trap{" trap divide error ip:", SIGFPE},
                             Trap{" trap stack segment ip:", SIGBUS},
                             Trap{" trap int3 ip:", SIGTRAP}}) {
      if (!SplitWho(text, trap.words, fault)) continue;
      fault.signal = trap.signal;
      break;
    }
    if (fault.signal == 0) return false;
  }
  fault.realtime_ns = line.realtime_ns;
  fault.text = line.text;
  if (faults_.size() == kMaxFaults) faults_.erase(faults_.begin());
  faults_.push_back(std::move(fault));
  return true;
}

}  // namespace heapledger::collector::obituary
