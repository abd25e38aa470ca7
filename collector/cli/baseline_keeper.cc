// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/baseline_keeper.h"

#include <algorithm>
#include <exception>
#include <map>
#include <utility>

#include "collector/baseline/baseline_file.h"
#include "collector/cli/process_quantities.h"

namespace heapledger::collector::cli {
namespace {

using Clock = std::chrono::steady_clock;

std::uint64_t RealtimeNs() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(
          std::chrono::system_clock::now().time_since_epoch())
          .count());
}

}  // namespace

absl::StatusOr<std::unique_ptr<BaselineKeeper>> BaselineKeeper::Make(
    const BaselineKeeperOptions& options, const HostSource* source,
    const SystemSource* system, const HostLeaks* leaks,
    std::function<void(const std::string&)> log) {
  auto learned = baseline::ReadBaselineFile(options.path);
  if (!learned.ok() && !absl::IsNotFound(learned.status())) {
    return learned.status();
  }
  // A place that cannot be written is found now and not after a day.
  if (!learned.ok()) {
    const absl::Status written = baseline::WriteBaselineFile(options.path, {});
    if (!written.ok()) return written;
  }
  return std::unique_ptr<BaselineKeeper>(new BaselineKeeper(
      options, source, system, leaks, std::move(log),
      learned.ok() ? *std::move(learned) : baseline::Baseline()));
}

BaselineKeeper::BaselineKeeper(const BaselineKeeperOptions& options,
                               const HostSource* source,
                               const SystemSource* system,
                               const HostLeaks* leaks,
                               std::function<void(const std::string&)> log,
                               baseline::Baseline learned)
    : options_(options),
      source_(source),
      system_(system),
      leaks_(leaks),
      log_(std::move(log)),
      learner_(options.learner, std::move(learned)) {
  Publish(/*with_document=*/true);
}

BaselineKeeper::~BaselineKeeper() {
  (void)Stop(std::chrono::milliseconds(0));
  if (thread_.joinable()) thread_.join();
}

void BaselineKeeper::Start() {
  thread_ = std::thread([this] { Run(); });
}

bool BaselineKeeper::Stop(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  wake_.notify_all();
  return !thread_.joinable() ||
         wake_.wait_for(lock, patience, [this] { return ended_; });
}

BaselineSource BaselineKeeper::View() {
  return {[this] {
            const std::lock_guard lock(mutex_);
            return figures_;
          },
          [this] {
            const std::lock_guard lock(mutex_);
            return document_;
          }};
}

void BaselineKeeper::Run() {
  Clock::time_point next_save = Clock::now() + options_.save_interval;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    // Out of memory, most likely; the next look may do.
    try {
      Look();
      const bool save = Clock::now() >= next_save;
      Publish(save);
      if (save) {
        Save();
        next_save = Clock::now() + options_.save_interval;
      }
    } catch (const std::exception& error) {
      log_(std::string("learn the baseline: ") + error.what());
    }
    lock.lock();
    wake_.wait_for(lock, options_.interval, [this] { return stopping_; });
  }
  lock.unlock();
  // What still waits is not learned: nobody knows yet whether it is a leak.
  Publish(/*with_document=*/true);
  Save();
  lock.lock();
  ended_ = true;
  wake_.notify_all();
}

void BaselineKeeper::Look() {
  const auto system = system_->view();
  // The sampler hangs, or has not begun: the same moment twice teaches nothing.
  if (system->taken_realtime_ns == last_sample_ns_) return;
  last_sample_ns_ = system->taken_realtime_ns;
  const auto host = source_->host();
  const auto leaks = leaks_->view();
  std::map<std::uint32_t, const LedgerSnapshot*> ledgers;
  for (const auto& process : host->processes) {
    ledgers[process->snapshot->identity.pid] = process->snapshot.get();
  }
  std::set<std::uint32_t> running;
  for (const TargetSample& target : system->targets) {
    baseline::Sample sample = QuantitiesOf(target, *system);
    baseline::Growth growth = GrowthOf(target);
    if (const auto ledger = ledgers.find(target.pid); ledger != ledgers.end()) {
      AddHeap(*ledger->second, sample);
      const auto suspects = leaks->find(ledger->second->lineage);
      growth = suspects == leaks->end() ? baseline::Growth::kNone
                                        : GrowthOf(*suspects->second);
    }
    learner_.Observe(target.pid, target.process, sample, growth);
    running.insert(target.pid);
  }
  for (const std::uint32_t pid : running_) {
    if (running.contains(pid)) continue;
    // Its ledger may not have been looked at since it ended.
    if (!End(pid, *host->view)) running.insert(pid);
  }
  running_ = std::move(running);
}

// How a process ended only its ledger says; without one it is taken for an
// orderly end.
bool BaselineKeeper::End(std::uint32_t pid, const HostView& view) {
  const auto known = std::ranges::find(
      view.processes, pid,
      [](const auto& process) { return process->snapshot->identity.pid; });
  auto ending = baseline::Ending::kOrderly;
  if (known != view.processes.end()) {
    const ProcessState state = (*known)->snapshot->state;
    if (state == ProcessState::kLive || state == ProcessState::kStarting) {
      return false;
    }
    if (state == ProcessState::kKilled) ending = baseline::Ending::kKilled;
  }
  learner_.End(pid, ending);
  return true;
}

void BaselineKeeper::Publish(bool with_document) {
  auto figures = std::make_shared<const Programs>(baseline::FiguresOf(
      learner_.baseline(), learner_.states(), baseline::SlotOf(RealtimeNs())));
  std::shared_ptr<const std::string> document;
  if (with_document) {
    document = std::make_shared<const std::string>(
        baseline::BaselineText(learner_.baseline()));
  }
  const std::lock_guard lock(mutex_);
  figures_ = std::move(figures);
  if (with_document) document_ = std::move(document);
}

void BaselineKeeper::Save() {
  const absl::Status written =
      baseline::WriteBaselineFile(options_.path, learner_.baseline());
  const std::string problem(written.message());
  if (!written.ok() && problem != problem_) log_(problem);
  problem_ = problem;
}

}  // namespace heapledger::collector::cli
