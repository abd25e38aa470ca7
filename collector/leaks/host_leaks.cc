// SPDX-License-Identifier: Apache-2.0
#include "collector/leaks/host_leaks.h"

#include <utility>

namespace heapledger::collector {
namespace {

bool Runs(const LedgerSnapshot& snapshot) {
  return snapshot.state == ProcessState::kLive ||
         snapshot.state == ProcessState::kStarting;
}

}  // namespace

HostLeaks::HostLeaks(LeakOptions options)
    : options_(std::move(options)),
      view_(std::make_shared<const HostLeakView>()) {}

void HostLeaks::Update(HostAccounts& accounts, FrameNames& names) {
  auto view = std::make_shared<HostLeakView>();
  std::unordered_map<std::uint64_t, std::unique_ptr<ProcessLeaks>> processes;
  accounts.Visit([&](ProcessAccount& account, const ProcessView& process) {
    if (!Runs(*process.snapshot)) return;
    const std::uint64_t lineage = process.snapshot->lineage;
    std::unique_ptr<ProcessLeaks>& leaks = processes[lineage];
    if (auto node = processes_.extract(lineage); !node.empty()) {
      leaks = std::move(node.mapped());
    } else {
      leaks = std::make_unique<ProcessLeaks>(options_);
    }
    (*view)[lineage] = leaks->Update(account, process.snapshot, names);
  });
  processes_ = std::move(processes);
  const std::lock_guard lock(mutex_);
  view_ = std::move(view);
}

std::shared_ptr<const HostLeakView> HostLeaks::view() const {
  const std::lock_guard lock(mutex_);
  return view_;
}

}  // namespace heapledger::collector
