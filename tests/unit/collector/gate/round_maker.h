// SPDX-License-Identifier: Apache-2.0
// Rounds for tests of the gate: what a command left behind, as the test says.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "collector/gate/round.h"

namespace heapledger::collector::gate::testing {

inline StackFunction Frame(std::string function, std::string file = "",
                           std::uint32_t line = 0) {
  return {std::move(function), std::move(file), line, "prog", "/usr/bin/prog"};
}

// A callsite in `function`, called by main.
inline Finding Leak(std::uint64_t callsite, const std::string& function,
                    Amount direct, Amount indirect = {}) {
  Finding finding;
  finding.callsite = Fingerprint(callsite);
  finding.name = {function, "prog", "/src/app/leak.c", 12};
  finding.stack = {Frame(function, "/src/app/leak.c", 12),
                   Frame("main", "/src/app/main.c", 40)};
  finding.direct = direct;
  finding.indirect = indirect;
  finding.live = direct + indirect;
  finding.processes = {"prog (pid 42)"};
  return finding;
}

inline ProcessImage Image(const std::string& program = "prog") {
  ProcessImage image;
  image.pid = 42;
  image.program = program;
  image.is_root = true;
  image.fate = ImageFate::kJudged;
  image.peak_bytes = 10'000;
  image.allocations = 100;
  return image;
}

inline Round RoundOf(const std::vector<Finding>& findings) {
  Round round;
  round.images.push_back(Image());
  for (const Finding& finding : findings) {
    round.callsites[finding.callsite] = finding;
    round.images[0].live += finding.live;
    round.images[0].unreachable += finding.unreachable();
  }
  return round;
}

}  // namespace heapledger::collector::gate::testing
