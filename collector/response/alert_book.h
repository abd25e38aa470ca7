// SPDX-License-Identifier: Apache-2.0
// Alerts of others that are firing, by the program that they are about.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "collector/response/level.h"
#include "collector/response/reading.h"

namespace heapledger::collector::response {

// An alert as far as it concerns us.
struct Alert {
  std::string fingerprint;  // the same in every message about it
  std::string process;
  std::optional<std::uint32_t> pid;  // none: all processes of that name
  Level level = Level::kNone;        // none: it is over
};

class AlertBook {
 public:
  static constexpr std::size_t kMaxAlerts = 1000;

  explicit AlertBook(Duration expire) : expire_(expire) {}

  // False where there are too many already.
  bool Take(const Alert& alert, Time now);
  // The highest level of those that fire.
  [[nodiscard]] Level For(const std::string& process, std::uint32_t pid,
                          Time now) const;
  // Forgets those that nobody spoke of for too long.
  void Expire(Time now);

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Firing {
    std::optional<std::uint32_t> pid;
    Level level = Level::kNone;
    Time until{};
  };
  using ByFingerprint = std::map<std::string, Firing>;

  const Duration expire_;
  std::map<std::string, ByFingerprint> alerts_;  // by process
  std::size_t size_ = 0;
};

}  // namespace heapledger::collector::response
