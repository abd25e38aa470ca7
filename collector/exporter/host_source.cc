// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/host_source.h"

#include <utility>

namespace heapledger::collector {
namespace {

bool Runs(const ProcessView& process) {
  return process.snapshot->state == ProcessState::kLive ||
         process.snapshot->state == ProcessState::kStarting;
}

bool FreedNoMoreThanTaken(const HeapCounters& counters) {
  return counters.freed_bytes <=
             counters.inherited_bytes + counters.allocated_bytes &&
         counters.freed_objects <=
             counters.inherited_objects + counters.allocated_objects;
}

}  // namespace

std::uint64_t CountViolations(const ProcessView& process) {
  HeapCounters sum = process.other;
  std::uint64_t violations = 0;
  for (const CallsiteView& callsite : process.top) {
    sum += callsite.counters;
    if (!FreedNoMoreThanTaken(callsite.counters)) ++violations;
  }
  if (!FreedNoMoreThanTaken(process.other)) ++violations;
  if (!FreedNoMoreThanTaken(process.snapshot->totals)) ++violations;
  if (!(sum == process.snapshot->totals)) ++violations;
  return violations;
}

HostSource::HostSource(std::size_t max_targets) : max_targets_(max_targets) {
  auto host = std::make_shared<ShownHost>();
  host->view = std::make_shared<const HostView>();
  host_ = std::move(host);
}

void HostSource::Publish(std::shared_ptr<const HostView> view) {
  auto host = std::make_shared<ShownHost>();
  std::uint64_t violations = 0;
  for (const auto& process : view->processes) {
    if (!Runs(*process)) continue;
    ++host->targets;
    violations += CountViolations(*process);
    // The first ones stay, so that a new process never ends another's series.
    if (host->processes.size() < max_targets_) {
      host->processes.push_back(process);
    }
  }
  host->view = std::move(view);
  const std::lock_guard lock(mutex_);
  host_ = std::move(host);
  violations_ += violations;
}

std::shared_ptr<const ShownHost> HostSource::host() const {
  const std::lock_guard lock(mutex_);
  return host_;
}

std::uint64_t HostSource::last_sample_ns() const {
  return host()->view->taken_monotonic_ns;
}

std::uint64_t HostSource::invariant_violations() const {
  const std::lock_guard lock(mutex_);
  return violations_;
}

}  // namespace heapledger::collector
