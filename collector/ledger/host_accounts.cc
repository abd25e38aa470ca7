// SPDX-License-Identifier: Apache-2.0
#include "collector/ledger/host_accounts.h"

#include <utility>

namespace heapledger::collector {

HostAccounts::HostAccounts(const AccountOptions& options, FrameNames* names)
    : options_(options),
      names_(names),
      view_(std::make_shared<const HostView>()) {}

std::shared_ptr<const HostView> HostAccounts::Update(const HostSnapshot& host) {
  auto view = std::make_shared<HostView>();
  std::unordered_map<std::uint64_t, Entry> entries;
  for (const auto& snapshot : host.ledgers) {
    Entry& entry = entries[snapshot->lineage];
    if (auto node = entries_.extract(snapshot->lineage); !node.empty()) {
      entry = std::move(node.mapped());
    }
    if (entry.account == nullptr) {
      entry.account = std::make_unique<ProcessAccount>(options_, names_);
    }
    // A dead process is handed in unchanged; so is its view.
    if (entry.view == nullptr || entry.view->snapshot != snapshot) {
      entry.view = entry.account->Update(snapshot);
    }
    view->processes.push_back(entry.view);
  }
  entries_ = std::move(entries);
  view->unmeasured = host.unmeasured;
  view->problems = host.problems;
  view->taken_monotonic_ns = host.taken_monotonic_ns;
  const std::lock_guard lock(mutex_);
  view_ = view;
  return view;
}

void HostAccounts::Visit(
    const std::function<void(ProcessAccount&, const ProcessView&)>& visitor) {
  for (const auto& [lineage, entry] : entries_) {
    visitor(*entry.account, *entry.view);
  }
}

std::shared_ptr<const HostView> HostAccounts::view() const {
  const std::lock_guard lock(mutex_);
  return view_;
}

}  // namespace heapledger::collector
