// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/failure_limit.h"

#include <algorithm>

namespace heapledger::collector {
namespace {

double Refilled(double guesses, FailureLimit::Clock::duration since) {
  const double periods = std::chrono::duration<double>(since) /
                         std::chrono::duration<double>(FailureLimit::kRefill);
  return std::min(FailureLimit::kBurst, guesses + std::max(periods, 0.0));
}

}  // namespace

FailureLimit::Peer& FailureLimit::Find(const std::string& peer,
                                       Clock::time_point now) {
  const auto known = peers_.find(peer);
  if (known == peers_.end()) {
    MakeRoom(now);
    Peer& fresh = peers_[peer];
    fresh.at = now;
    return fresh;
  }
  known->second.guesses =
      Refilled(known->second.guesses, now - known->second.at);
  known->second.at = now;
  return known->second;
}

void FailureLimit::MakeRoom(Clock::time_point now) {
  if (peers_.size() < kMaxAddresses) return;
  std::erase_if(peers_, [now](const auto& entry) {
    const Peer& peer = entry.second;
    return peer.pending == 0 && Refilled(peer.guesses, now - peer.at) >= kBurst;
  });
  if (peers_.size() < kMaxAddresses) return;
  const auto oldest = std::ranges::min_element(
      peers_, {}, [](const auto& entry) { return entry.second.at; });
  peers_.erase(oldest);
}

bool FailureLimit::Begin(const std::string& peer, Clock::time_point now) {
  Peer& state = Find(peer, now);
  if (state.guesses < 1 || state.pending >= kMaxPending) return false;
  ++state.pending;
  return true;
}

void FailureLimit::End(const std::string& peer, bool was_right,
                       Clock::time_point now) {
  Peer& state = Find(peer, now);
  state.pending = std::max(0, state.pending - 1);
  if (!was_right) state.guesses = std::max(0.0, state.guesses - 1);
}

}  // namespace heapledger::collector
