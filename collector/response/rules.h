// SPDX-License-Identifier: Apache-2.0
// What is to be done for which programs, as plain values; rules_config.h reads
// them from a file.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "collector/response/action.h"
#include "collector/response/level.h"
#include "collector/response/reading.h"

namespace heapledger::collector::response {

// Which programs; patterns as of a shell, empty for any.
struct Filter {
  std::string process;
  std::string exe;     // for the path, or the last part of it
  std::string cgroup;  // for the path in the hierarchy
  std::optional<bool> python;

  [[nodiscard]] bool Fits(const Target& target) const;
};

// One condition for a level: reached at `enter`, over below `leave`, or the
// other way round for a quantity that gets worse as it falls.
struct Threshold {
  Level level = Level::kLow;
  Quantity quantity = Quantity::kUsage;
  double enter = 0;
  double leave = 0;

  [[nodiscard]] bool Entered(double value) const;
  // Not left yet.
  [[nodiscard]] bool Held(double value) const;
};

struct Rule {
  std::string name;
  Filter filter;
  std::vector<Threshold> thresholds;  // any of them will do
  std::vector<Action> actions;        // by level, lowest first
  // How long a condition holds before its level is entered, and half as long
  // as it must be gone before the level is left. By Level.
  std::array<Duration, 5> dwell = {};

  [[nodiscard]] Duration DwellOf(Level level) const {
    return dwell[static_cast<std::size_t>(level)];
  }
};

struct WebhookRules {
  // Values of an alert's label `instance` that mean this collector, beside its
  // own addresses.
  std::vector<std::string> instances;
  std::string secret_file;  // of the signature; empty: none is asked for
  // After which an alert counts as over that nobody said so of.
  Duration expire = std::chrono::hours(5);
  // Alerts by name and the level that they mean; others are not known.
  std::map<std::string, Level, std::less<>> alerts;
};

struct Rules {
  std::vector<Rule> rules;  // the first that fits holds
  WebhookRules webhook;

  // Null where none fits: the program is left alone.
  [[nodiscard]] const Rule* For(const Target& target) const;
};

// The alerts of `heapledger rules` that name a process, by how bad they are.
[[nodiscard]] std::map<std::string, Level, std::less<>> KnownAlerts();

// What a rule says that says nothing of it. By Level.
[[nodiscard]] Duration DefaultDwell(Level level);
[[nodiscard]] Duration DefaultCoolDown(Level level);
[[nodiscard]] double DefaultUsage(Level level);

}  // namespace heapledger::collector::response
