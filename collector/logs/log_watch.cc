// SPDX-License-Identifier: Apache-2.0
#include "collector/logs/log_watch.h"

#include <exception>
#include <utility>

#include "collector/logs/file_source.h"
#include "collector/logs/journal_source.h"
#include "collector/logs/kmsg_source.h"

namespace heapledger::collector::logs {
namespace {

// Per source and round: no log, however large, keeps another waiting long.
constexpr std::size_t kBudgetBytes = 1 << 20;
constexpr std::size_t kMaxLogged = 100;

std::uint64_t NowNs() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(
          std::chrono::system_clock::now().time_since_epoch())
          .count());
}

std::unique_ptr<LogSource> MakeSource(const std::string& name, ReadFrom from) {
  if (name == "kmsg") return MakeKmsgSource(from);
  if (name == "journal") return MakeJournalSource(from);
  FileSourceOptions options;
  options.from = from;
  return MakeFileSource(name, options);
}

}  // namespace

absl::StatusOr<std::unique_ptr<LogWatch>> LogWatch::Make(
    LogWatchOptions options, std::function<void(const std::string&)> log) {
  auto table = PatternTable::Compile(options.patterns);
  if (!table.ok()) return table.status();
  return std::unique_ptr<LogWatch>(
      new LogWatch(std::move(options), *std::move(table), std::move(log)));
}

LogWatch::LogWatch(LogWatchOptions options,
                   std::unique_ptr<const PatternTable> table,
                   std::function<void(const std::string&)> log)
    : options_(std::move(options)),
      log_(std::move(log)),
      book_(std::move(table)) {
  // Where a source begins is decided here, so nothing that is said after Make()
  // is missed.
  for (const std::string& name : options_.sources) {
    followed_.push_back(MakeSource(name, options_.from));
  }
  Publish();
}

LogWatch::~LogWatch() {
  (void)Stop(std::chrono::milliseconds(0));
  if (thread_.joinable()) thread_.join();
}

void LogWatch::Start() {
  thread_ = std::thread([this] { Run(); });
}

bool LogWatch::Stop(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  wake_.notify_all();
  return !thread_.joinable() ||
         wake_.wait_for(lock, patience, [this] { return ended_; });
}

std::vector<SourceState> LogWatch::sources() const {
  const std::lock_guard lock(mutex_);
  return states_;
}

bool LogWatch::PollAll() {
  bool more = false;
  for (const auto& source : followed_) {
    const std::string name = source->state().name;
    const std::uint64_t now_ns = NowNs();
    const LineSink sink = [this, &name, now_ns](const LogLine& line) {
      book_.Book(name, line, now_ns);
    };
    if (source->Poll(kBudgetBytes, sink)) more = true;
  }
  return more;
}

void LogWatch::Publish() {
  std::vector<SourceState> states;
  for (const auto& source : followed_) states.push_back(source->state());
  for (const SourceState& state : states) {
    if (state.problem.empty() || logged_.size() >= kMaxLogged) continue;
    if (logged_.insert(state.problem).second) log_(state.problem);
  }
  const std::lock_guard lock(mutex_);
  states_ = std::move(states);
}

void LogWatch::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    bool more = false;
    // Out of memory, most likely; that is when a log is of use, so go on.
    try {
      more = PollAll();
      Publish();
    } catch (const std::exception&) {
      more = false;
    }
    lock.lock();
    if (!more) {
      wake_.wait_for(lock, options_.interval, [this] { return stopping_; });
    }
  }
  ended_ = true;
  wake_.notify_all();
}

}  // namespace heapledger::collector::logs
