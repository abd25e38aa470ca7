// SPDX-License-Identifier: Apache-2.0
#include "collector/baseline/learner.h"

#include <utility>

namespace heapledger::collector::baseline {

void Learner::Observe(std::uint64_t process, const std::string& program,
                      const Sample& sample, Growth growth) {
  if (!states_.contains(program) && states_.size() >= options_.max_programs) {
    ++refused_;
    return;
  }
  Process& known = processes_[process];
  known.program = program;
  known.growing = growth == Growth::kSuspected;
  if (known.growing) {
    Drop(known);
    ++states_[program].dropped;
  } else {
    known.waiting.push_back(sample);
    while (known.waiting.front().realtime_ns + options_.wait_ns <=
           sample.realtime_ns) {
      Admit(program, known.waiting.front());
      known.waiting.pop_front();
      if (known.waiting.empty()) break;
    }
  }
  UpdateState(program);
}

void Learner::End(std::uint64_t process, Ending ending) {
  const auto found = processes_.find(process);
  if (found == processes_.end()) return;
  Process& known = found->second;
  if (ending == Ending::kKilled) Drop(known);
  for (const Sample& sample : known.waiting) Admit(known.program, sample);
  const std::string program = std::move(known.program);
  processes_.erase(found);
  UpdateState(program);
}

void Learner::AdmitAll() {
  for (auto& [id, process] : processes_) {
    for (const Sample& sample : process.waiting) {
      Admit(process.program, sample);
    }
    process.waiting.clear();
    UpdateState(process.program);
  }
}

void Learner::Admit(const std::string& program, const Sample& sample) {
  ProgramBaseline& learned = baseline_[program];
  if (learned.current.samples != 0 &&
      sample.realtime_ns >= learned.current.begin_ns + options_.period_ns) {
    learned.BeginPeriod();
  }
  learned.current.Add(sample);
}

void Learner::Drop(Process& process) {
  states_[process.program].dropped += process.waiting.size();
  process.waiting.clear();
}

void Learner::UpdateState(const std::string& program) {
  State& state = states_[program];
  state.frozen = false;
  state.waiting = 0;
  for (const auto& [id, process] : processes_) {
    if (process.program != program) continue;
    state.frozen |= process.growing;
    state.waiting += process.waiting.size();
  }
}

}  // namespace heapledger::collector::baseline
