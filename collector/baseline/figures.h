// SPDX-License-Identifier: Apache-2.0
// A baseline as figures: what is shown and exported, computed once per round
// and not once per reader.
//
// Thread safety: plain values, shared by pointer once made.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "collector/baseline/learner.h"
#include "collector/baseline/statistics.h"

namespace heapledger::collector::baseline {

// By quantity.
using Figures = std::array<std::array<Statistic, kStatistics>, kQuantities>;

struct ProgramFigures {
  std::string program;
  std::uint64_t begin_ns = 0;
  std::uint64_t end_ns = 0;
  std::uint64_t samples = 0;
  std::array<std::uint64_t, kQuantities> counts{};  // samples that had it
  Figures all;
  std::optional<Figures> slot;  // of the hour of the week that was asked for
  Learner::State state;
};

// Of every program that has a baseline or a state. `slot` is one of kSlots.
[[nodiscard]] std::vector<ProgramFigures> FiguresOf(
    const Baseline& baseline,
    const std::map<std::string, Learner::State>& states, int slot);

[[nodiscard]] Figures FiguresOf(const Sketches& sketches);

}  // namespace heapledger::collector::baseline
