// SPDX-License-Identifier: Apache-2.0
// The thread that follows the logs. Nobody waits for it: readers get what it
// booked last, and Stop() gives up on a file system that hangs.
//
// Thread safety: Start() and Stop() from one thread; the rest from any.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/logs/log_book.h"
#include "collector/logs/log_source.h"

namespace heapledger::collector::logs {

struct LogWatchOptions {
  std::vector<std::string> sources;  // "kmsg", "journal", or a file or pattern
  ReadFrom from = ReadFrom::kEnd;
  std::vector<Pattern> patterns = BuiltInPatterns();
  std::chrono::milliseconds interval{250};
};

class LogWatch {
 public:
  // InvalidArgument where a pattern is no expression. `log` gets one sentence
  // for every new problem with a source.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<LogWatch>> Make(
      LogWatchOptions options, std::function<void(const std::string&)> log);
  ~LogWatch();

  void Start();
  // Whether the thread ended within `patience`.
  [[nodiscard]] bool Stop(std::chrono::milliseconds patience);

  [[nodiscard]] std::shared_ptr<const LogView> view() const {
    return book_.view();
  }
  [[nodiscard]] std::vector<SourceState> sources() const;

 private:
  LogWatch(LogWatchOptions options, std::unique_ptr<const PatternTable> table,
           std::function<void(const std::string&)> log);

  void Run();
  // Whether a source has more than it was allowed to tell.
  bool PollAll();
  void Publish();

  const LogWatchOptions options_;
  const std::function<void(const std::string&)> log_;
  LogBook book_;

  // Of the thread alone.
  std::vector<std::unique_ptr<LogSource>> followed_;
  std::unordered_set<std::string> logged_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<SourceState> states_;
  bool stopping_ = false;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace heapledger::collector::logs
