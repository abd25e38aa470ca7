// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/collect_loop.h"

#include <exception>
#include <random>
#include <utility>

#include "collector/leaks/sample_schedule.h"
#include "collector/profile/resolver.h"

namespace heapledger::collector::cli {
namespace {

using Clock = std::chrono::steady_clock;

// A ledger's text can change what a problem says: without a bound a hostile one
// could fill the log.
constexpr std::size_t kMaxLogged = 1000;

}  // namespace

CollectLoop::CollectLoop(const CollectLoopOptions& options, HostSource* source,
                         HostLeaks* leaks,
                         std::function<void(const std::string&)> log)
    : options_(options),
      source_(source),
      leaks_(leaks),
      log_(std::move(log)),
      names_(MakeResolver()),
      ledgers_(options.discovery),
      tagger_(options.tag_rules, names_.get()),
      accounts_(options.accounts, names_.get()) {}

CollectLoop::~CollectLoop() {
  (void)Stop(std::chrono::milliseconds(0));
  if (thread_.joinable()) thread_.join();
}

void CollectLoop::Start() {
  thread_ = std::thread([this] { Run(); });
}

bool CollectLoop::Stop(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  wake_.notify_all();
  return !thread_.joinable() ||
         wake_.wait_for(lock, patience, [this] { return ended_; });
}

void CollectLoop::Run() {
  SampleSchedule schedule(Clock::now(), options_.interval,
                          std::random_device()());
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    // Out of memory, most likely: the last sample stays up, the next may do.
    try {
      Sample();
    } catch (const std::exception& error) {
      LogNew({std::string("take a sample: ") + error.what()});
    }
    const Clock::time_point next = schedule.Next(Clock::now());
    lock.lock();
    wake_.wait_until(lock, next, [this] { return stopping_; });
  }
  ended_ = true;
  wake_.notify_all();
}

void CollectLoop::Sample() {
  const Clock::time_point now = Clock::now();
  const bool search_maps = now >= next_maps_;
  HostSnapshot host =
      ledgers_.Take(search_maps ? UnmeasuredScan::kMarkersAndMaps
                                : UnmeasuredScan::kMarkersOnly);
  if (search_maps) {
    next_maps_ = now + options_.maps_interval;
    unmeasured_ = host.unmeasured;
  } else {
    host.unmeasured = unmeasured_;
  }
  LogNew(host.problems);
  tagger_.Apply(host);
  auto view = accounts_.Update(host);
  leaks_->Update(accounts_, *names_);
  source_->Publish(std::move(view));
}

void CollectLoop::LogNew(const std::vector<std::string>& problems) {
  for (const std::string& problem : problems) {
    if (logged_.size() >= kMaxLogged) return;
    if (!logged_.insert(problem).second) continue;
    log_(problem);
    if (logged_.size() == kMaxLogged) log_("further problems are not logged");
  }
}

}  // namespace heapledger::collector::cli
