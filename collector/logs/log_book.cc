// SPDX-License-Identifier: Apache-2.0
#include "collector/logs/log_book.h"

#include <algorithm>
#include <utility>

namespace heapledger::collector::logs {

bool IsOurs(const LogLine& line) {
  return line.program == "heapledger" || line.text.starts_with("heapledger: ");
}

LogBook::LogBook(std::unique_ptr<const PatternTable> table)
    : table_(std::move(table)) {
  auto view = std::make_shared<LogView>();
  for (const Pattern& pattern : table_->patterns()) {
    PatternRecord& record = view->patterns.emplace_back();
    record.name = pattern.name;
    record.severity = pattern.severity;
    record.description = pattern.description;
  }
  view_ = std::move(view);
}

void LogBook::Book(const std::string& source, const LogLine& line,
                   std::uint64_t now_ns) {
  if (IsOurs(line)) return;
  const std::vector<PatternMatch> matches = table_->Match(line);
  if (matches.empty()) return;
  const std::uint64_t time_ns =
      line.realtime_ns == 0 ? now_ns : line.realtime_ns;
  // Matches are rare and the view is small: a copy keeps readers free of us.
  next_ = std::make_shared<LogView>(*view());
  for (const PatternMatch& match : matches) {
    PatternRecord& record = next_->patterns[match.pattern];
    ++record.count;
    if (record.first_seen_ns == 0 || time_ns < record.first_seen_ns) {
      record.first_seen_ns = time_ns;
    }
    record.last_seen_ns = std::max(record.last_seen_ns, time_ns);
    record.last_source = source;
    record.last_program = line.program;
    record.last_text = line.text.substr(0, kMaxText);
    if (!match.killed.empty()) BookKill(source, match, line, time_ns);
  }
  const std::lock_guard lock(mutex_);
  view_ = std::move(next_);
}

bool LogBook::Known(const Kill& kill) const {
  return std::ranges::any_of(next_->last_kills, [&kill](const Kill& other) {
    const std::uint64_t apart = kill.realtime_ns > other.realtime_ns
                                    ? kill.realtime_ns - other.realtime_ns
                                    : other.realtime_ns - kill.realtime_ns;
    // Without a pid it is a cgroup, which is killed as a whole.
    return apart < kSameKillNs && kill.process == other.process &&
           kill.pid == other.pid &&
           (kill.pid == 0 || kill.source != other.source);
  });
}

void LogBook::BookKill(const std::string& source, const PatternMatch& match,
                       const LogLine& line, std::uint64_t time_ns) {
  Kill kill{match.killed, match.pid, time_ns, source,
            std::string(line.text.substr(0, kMaxText))};
  if (Known(kill)) return;
  const bool room = next_->kills.size() < kMaxProcesses ||
                    next_->kills.contains(kill.process);
  ++next_->kills[room ? kill.process : kOtherProcesses];
  if (next_->last_kills.size() == kMaxKills) {
    next_->last_kills.erase(next_->last_kills.begin());
  }
  next_->last_kills.push_back(std::move(kill));
}

std::shared_ptr<const LogView> LogBook::view() const {
  const std::lock_guard lock(mutex_);
  return view_;
}

}  // namespace heapledger::collector::logs
