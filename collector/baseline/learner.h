// SPDX-License-Identifier: Apache-2.0
// Learns baselines from samples, without learning a leak: growth is noticed
// only some time after it began, so samples wait that long before they count,
// and all that wait are thrown away when growth is noticed. Until it is over,
// the baseline of the process stays as it is.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>

#include "collector/baseline/baseline.h"

namespace heapledger::collector::baseline {

enum class Growth { kNone, kSuspected };
enum class Ending {
  kOrderly,
  kKilled,  // perhaps for what it took: what waits is thrown away
};

struct LearnerOptions {
  std::uint64_t wait_ns = 1800'000'000'000;  // half an hour
  // A week has every slot once.
  std::uint64_t period_ns = 7 * 24 * 3600'000'000'000;
  std::size_t max_programs = 64;  // about 0.5 MB each with all slots
};

class Learner {
 public:
  explicit Learner(const LearnerOptions& options, Baseline baseline = {})
      : options_(options), baseline_(std::move(baseline)) {}

  // One process at one time. `process` is any value that it alone has; samples
  // of a process come in the order of their times.
  void Observe(std::uint64_t process, const std::string& program,
               const Sample& sample, Growth growth);
  // The process will be seen no more.
  void End(std::uint64_t process, Ending ending);
  // Of every process that is not growing, what waits counts now.
  void AdmitAll();

  [[nodiscard]] const Baseline& baseline() const { return baseline_; }

  struct State {
    bool frozen = false;        // a process of it is growing
    std::size_t waiting = 0;    // samples
    std::uint64_t dropped = 0;  // samples thrown away, since the start
  };
  [[nodiscard]] const std::map<std::string, State>& states() const {
    return states_;
  }
  // Programs beyond max_programs that were seen.
  [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
  struct Process {
    std::string program;
    std::deque<Sample> waiting;
    bool growing = false;
  };

  void Admit(const std::string& program, const Sample& sample);
  void Drop(Process& process);
  void UpdateState(const std::string& program);

  const LearnerOptions options_;
  Baseline baseline_;
  std::map<std::uint64_t, Process> processes_;
  std::map<std::string, State> states_;
  std::uint64_t refused_ = 0;
};

}  // namespace heapledger::collector::baseline
