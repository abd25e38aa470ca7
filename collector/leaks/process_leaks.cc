// SPDX-License-Identifier: Apache-2.0
#include "collector/leaks/process_leaks.h"

#include <algorithm>
#include <functional>
#include <set>
#include <tuple>
#include <utility>

namespace heapledger::collector {
namespace {

// Base widths to an epoch, ten minutes by default: what a program built up
// longer ago and left alone takes no watch from what rises.
constexpr std::uint64_t kEpochWidths = 75;
// A watch is given up only for a rise this many times its own: a new one starts
// with nothing.
constexpr std::uint64_t kWorthAnother = 2;

}  // namespace

void SortSuspects(std::vector<Suspect>& suspects) {
  const auto rank = [](const Suspect& suspect) {
    return std::tuple(suspect.growth ? suspect.growth->bytes_per_second : 0,
                      suspect.unreachable ? suspect.unreachable->bytes() : 0);
  };
  std::ranges::sort(suspects, [&rank](const Suspect& a, const Suspect& b) {
    return std::pair(rank(b), a.callsite.fingerprint) <
           std::pair(rank(a), b.callsite.fingerprint);
  });
}

std::shared_ptr<const ProcessLeakView> ProcessLeaks::Update(
    ProcessAccount& account, std::shared_ptr<const LedgerSnapshot> snapshot,
    FrameNames& names) {
  const std::uint64_t now = snapshot->taken_monotonic_ns;
  if (first_ns_ == 0) first_ns_ = now;
  BeginEpochs(now);
  Admit(BookRises(account.accounts()));
  unreachable_.Update(account, *snapshot);

  auto view = std::make_shared<ProcessLeakView>();
  std::set<std::size_t> grow;
  for (auto& [group, watched] : watches_) {
    watched.watch.Add(now, account.accounts()[group].counters);
    const auto tier = watched.watch.growing_tier();
    if (!tier) {
      watched.named_ns = 0;
      continue;
    }
    if (watched.named_ns == 0) watched.named_ns = now;
    Suspect suspect = SuspectOf(group, account, *snapshot, names);
    suspect.growth = *watched.watch.growth();
    suspect.age = AgeOf(watched.watch.history(), *tier);
    suspect.named_monotonic_ns = watched.named_ns;
    view->suspects.push_back(std::move(suspect));
    grow.insert(group);
  }
  for (const auto& [group, evidence] : unreachable_.all()) {
    if (grow.contains(group)) continue;
    view->suspects.push_back(SuspectOf(group, account, *snapshot, names));
    view->suspects.back().named_monotonic_ns = now;
  }
  SortSuspects(view->suspects);
  FollowTrend(*snapshot);
  view->trend = trend_.view();
  view->watched = watches_.size();
  view->scanned = unreachable_.scanned();
  view->looked_ns = now - first_ns_;
  view->snapshot = std::move(snapshot);
  return view;
}

void ProcessLeaks::FollowTrend(const LedgerSnapshot& snapshot) {
  trend_.Add(snapshot.taken_monotonic_ns, snapshot.totals,
             options_.headroom ? options_.headroom(snapshot.identity.pid)
                               : std::nullopt);
}

Suspect ProcessLeaks::SuspectOf(std::size_t group, ProcessAccount& account,
                                const LedgerSnapshot& snapshot,
                                FrameNames& names) const {
  Suspect suspect;
  suspect.callsite = account.ViewOf(group, snapshot);
  suspect.state =
      StateOf(options_.rules, snapshot,
              snapshot.tables->callsites[suspect.callsite.callsites.front()],
              suspect.callsite.fingerprint, names);
  if (const UnreachableEvidence* const evidence = unreachable_.Of(group)) {
    suspect.unreachable = *evidence;
  }
  return suspect;
}

std::vector<Acquitted> ProcessLeaks::Acquittals(
    ProcessAccount& account, const LedgerSnapshot& snapshot) const {
  std::vector<Acquitted> acquitted;
  for (const auto& [group, watched] : watches_) {
    const GrowthJudgement& judgement = watched.watch.widest();
    if (watched.watch.growth() != nullptr ||
        judgement.evidence.rise_bytes < options_.growth.minimum_rise_bytes) {
      continue;
    }
    acquitted.push_back({account.ViewOf(group, snapshot), judgement});
  }
  std::ranges::sort(acquitted, std::greater(), [](const Acquitted& a) {
    return std::pair(a.judgement.evidence.rise_bytes, a.callsite.fingerprint);
  });
  return acquitted;
}

void ProcessLeaks::BeginEpochs(std::uint64_t time_ns) {
  const std::uint64_t epoch = time_ns / options_.base_width_ns / kEpochWidths;
  if (epoch == epoch_) return;
  epoch_ = epoch;
  for (Lowest& lowest : lowest_) lowest = {kNever, lowest.now};
  for (auto& [group, watched] : watches_) {
    watched.rise_before = std::exchange(watched.rise, 0);
  }
}

// Returns what rose enough to be watched and is not.
std::vector<ProcessLeaks::Candidate> ProcessLeaks::BookRises(
    std::span<const CallsiteAccount> accounts) {
  // A callsite that appears later began with nothing.
  const bool first = lowest_.empty();
  lowest_.resize(accounts.size(), first ? Lowest{} : Lowest{0, kNever});
  std::vector<Candidate> candidates;
  for (std::size_t group = 0; group < accounts.size(); ++group) {
    Lowest& lowest = lowest_[group];
    const std::uint64_t live = accounts[group].counters.live_bytes();
    lowest.now = std::min(lowest.now, live);
    const std::uint64_t rise = live - std::min(lowest.now, lowest.before);
    if (rise < options_.growth.minimum_rise_bytes) continue;
    const auto watched = watches_.find(group);
    if (watched == watches_.end()) {
      candidates.push_back({rise, group});
    } else {
      watched->second.rise = std::max(watched->second.rise, rise);
    }
  }
  return candidates;
}

void ProcessLeaks::Admit(std::vector<Candidate> candidates) {
  if (candidates.empty()) return;
  std::ranges::sort(candidates, std::greater(), &Candidate::rise);
  auto next = candidates.begin();
  const auto admit = [this](const Candidate& candidate) {
    watches_.emplace(
        candidate.group,
        Watch{CallsiteWatch(options_.base_width_ns, options_.growth),
              candidate.rise, 0, 0});
  };
  while (next != candidates.end() && watches_.size() < options_.watch_limit) {
    admit(*next++);
  }
  if (next == candidates.end()) return;
  std::vector<Candidate> weakest;
  for (const auto& [group, watched] : watches_) {
    if (watched.named_ns != 0) continue;
    weakest.push_back({std::max(watched.rise, watched.rise_before), group});
  }
  std::ranges::sort(weakest, std::less(), &Candidate::rise);
  for (const Candidate& victim : weakest) {
    if (next == candidates.end() || next->rise <= kWorthAnother * victim.rise) {
      return;
    }
    watches_.erase(victim.group);
    admit(*next++);
  }
}

}  // namespace heapledger::collector
