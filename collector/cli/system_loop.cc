// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/system_loop.h"

#include <exception>
#include <utility>
#include <vector>

#include "collector/exporter/measured_target.h"

namespace heapledger::collector::cli {

SystemLoop::SystemLoop(SystemSampler sampler, std::chrono::nanoseconds interval,
                       const HostSource* measured, SystemSource* source,
                       ResidentTrends* trends,
                       std::function<void(const std::string&)> log)
    : sampler_(std::move(sampler)),
      interval_(interval),
      measured_(measured),
      source_(source),
      trends_(trends),
      log_(std::move(log)) {}

void SystemLoop::Start() {
  thread_ = std::thread([this] { Run(); });
}

void SystemLoop::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void SystemLoop::Run() {
  bool logged = false;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const auto next = SystemSampler::Clock::now() + interval_;
    // Out of memory, most likely: the last sample stays up, the next may do.
    try {
      Sample();
    } catch (const std::exception& error) {
      if (!logged) log_(std::string("look at the system: ") + error.what());
      logged = true;
    }
    lock.lock();
    wake_.wait_until(lock, next, [this] { return stopping_; });
  }
}

void SystemLoop::Sample() {
  std::vector<SystemTarget> targets;
  for (const auto& process : measured_->host()->processes) {
    targets.push_back(MeasuredTarget(*process));
  }
  const auto now = SystemSampler::Clock::now();
  const auto view = sampler_.Sample(targets, now);
  source_->Publish(view);
  if (python_ != nullptr) LookAtPython(*view, now);
  std::vector<ResidentSample> residents;
  for (const TargetSample& target : view->targets) {
    if (target.under_shim) continue;
    residents.push_back({target.pid, target.start_time_ticks, target.process,
                         target.memory.resident(), target.headroom});
  }
  trends_->Update(static_cast<std::uint64_t>(now.time_since_epoch().count()),
                  residents);
}

void SystemLoop::LookAtPython(const SystemView& view,
                              SystemSampler::Clock::time_point now) {
  std::vector<python::Target> targets;
  targets.reserve(view.targets.size());
  for (const TargetSample& target : view.targets) {
    targets.push_back({target.pid, target.start_time_ticks, target.process});
  }
  python_->Publish(python_watch_.Look(targets, now));
}

}  // namespace heapledger::collector::cli
