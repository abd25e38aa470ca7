// SPDX-License-Identifier: Apache-2.0
// Slows down whoever guesses passwords: each address has ten guesses and gets
// one back every six seconds. Whoever is known already is never asked here.
//
// Thread safety: none; the I/O thread's.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <unordered_map>

namespace heapledger::collector {

class FailureLimit {
 public:
  using Clock = std::chrono::steady_clock;

  static constexpr double kBurst = 10;
  static constexpr std::chrono::seconds kRefill{6};
  // Guesses of one address that are being checked.
  static constexpr int kMaxPending = 8;
  // Beyond it those who have waited longest are forgotten.
  static constexpr std::size_t kMaxAddresses = 4096;

  // Takes a place for one guess of `peer`; says no if it has none left.
  [[nodiscard]] bool Begin(const std::string& peer, Clock::time_point now);
  // The guess is over. REQUIRES: Begin() said yes.
  void End(const std::string& peer, bool was_right, Clock::time_point now);

  [[nodiscard]] std::size_t addresses() const { return peers_.size(); }

 private:
  struct Peer {
    double guesses = kBurst;
    int pending = 0;
    Clock::time_point at{};
  };

  Peer& Find(const std::string& peer, Clock::time_point now);
  void MakeRoom(Clock::time_point now);

  std::unordered_map<std::string, Peer> peers_;
};

}  // namespace heapledger::collector
