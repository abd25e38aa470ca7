// SPDX-License-Identifier: Apache-2.0
#include "collector/baseline/figures.h"

#include <utility>

namespace heapledger::collector::baseline {

Figures FiguresOf(const Sketches& sketches) {
  Figures figures;
  for (std::size_t i = 0; i < kQuantities; ++i) {
    figures[i] = Describe(sketches[i]);
  }
  return figures;
}

std::vector<ProgramFigures> FiguresOf(
    const Baseline& baseline,
    const std::map<std::string, Learner::State>& states, int slot) {
  std::map<std::string, ProgramFigures> programs;
  for (const auto& [program, state] : states) programs[program].state = state;
  for (const auto& [program, learned] : baseline) {
    ProgramFigures& figures = programs[program];
    const Period both = learned.Both();
    figures.begin_ns = both.begin_ns;
    figures.end_ns = both.end_ns;
    figures.samples = both.samples;
    figures.all = FiguresOf(both.all);
    for (std::size_t i = 0; i < kQuantities; ++i) {
      figures.counts[i] = both.all[i].count();
    }
    const auto found = both.slots.find(slot);
    if (found != both.slots.end()) figures.slot = FiguresOf(found->second);
  }
  std::vector<ProgramFigures> all;
  for (auto& [program, figures] : programs) {
    figures.program = program;
    all.push_back(std::move(figures));
  }
  return all;
}

}  // namespace heapledger::collector::baseline
