// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/family.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/numbers.h"
#include "collector/cli/find_ledger.h"
#include "collector/shm/host_ledgers.h"
#include "collector/shm/process_identity.h"

namespace heapledger::collector::cli {
namespace {

using Key = std::pair<std::uint32_t, std::uint64_t>;  // pid, start time

bool Runs(const LedgerSnapshot& snapshot) {
  return snapshot.state == ProcessState::kLive ||
         snapshot.state == ProcessState::kStarting;
}

Key KeyOf(const LedgerSnapshot& snapshot) {
  return {snapshot.identity.pid, snapshot.identity.start_time_ticks};
}

// The last image of each process, by pid.
Family LastImages(const Family& all) {
  std::map<Key, std::shared_ptr<const LedgerSnapshot>> last;
  for (const auto& snapshot : all) {
    auto& best = last[KeyOf(*snapshot)];
    if (best == nullptr || snapshot->identity.image > best->identity.image) {
      best = snapshot;
    }
  }
  Family images;
  for (auto& [key, snapshot] : last) images.push_back(std::move(snapshot));
  return images;
}

// The process of a pid that began last, and its descendants.
Family DescendantsOf(
    std::uint32_t pid, const Family& all,
    const std::function<std::uint32_t(std::uint32_t)>& parent_of) {
  std::set<Key> inside;
  for (const auto& snapshot : all) {
    if (snapshot->identity.pid == pid) inside = {KeyOf(*snapshot)};
  }
  const auto belongs = [&](const LedgerSnapshot& snapshot) {
    const LedgerIdentity& who = snapshot.identity;
    if (inside.contains({who.parent_pid, who.parent_start_time_ticks})) {
      return true;
    }
    if (!Runs(snapshot)) return false;
    const std::uint32_t parent = parent_of(who.pid);
    return parent != 0 && std::ranges::any_of(inside, [&](const Key& key) {
             return key.first == parent;
           });
  };
  for (bool grew = true; grew;) {
    grew = false;
    for (const auto& snapshot : all) {
      if (belongs(*snapshot)) grew |= inside.insert(KeyOf(*snapshot)).second;
    }
  }
  Family family;
  for (const auto& snapshot : all) {
    if (inside.contains(KeyOf(*snapshot))) family.push_back(snapshot);
  }
  return family;
}

}  // namespace

Family FamilyOf(const Family& all, const std::string& what,
                const std::function<std::uint32_t(std::uint32_t)>& parent_of) {
  Family family = LastImages(all);
  if (std::uint32_t pid = 0; absl::SimpleAtoi(what, &pid)) {
    family = DescendantsOf(pid, family, parent_of);
  } else {
    std::erase_if(family, [&what](const auto& snapshot) {
      return !Matches(*snapshot, what);
    });
  }
  const auto runs = [](const auto& snapshot) { return Runs(*snapshot); };
  if (std::ranges::any_of(family, runs)) {
    std::erase_if(family, [&](const auto& each) { return !runs(each); });
  }
  return family;
}

absl::StatusOr<Family> FindFamily(const DiscoveryOptions& options,
                                  const std::string& what) {
  const HostSnapshot host = HostLedgers(options).Take();
  Family family = FamilyOf(host.ledgers, what, [&](std::uint32_t pid) {
    const auto stat = ReadProcessStat(options.proc_root, pid);
    return stat ? stat->parent_pid : 0;
  });
  if (!family.empty()) return family;
  // Says why there is none.
  const auto alone = FindLedger(options, what);
  if (!alone.ok()) return alone.status();
  return Family{*alone};
}

}  // namespace heapledger::collector::cli
