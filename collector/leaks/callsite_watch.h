// SPDX-License-Identifier: Apache-2.0
// One callsite under watch: its floors, what each tier of them says, and
// whether that makes it a suspect at present. A word once given is not taken
// back for one judgement that misses it, but at once when the memory comes
// back.
//
// Thread safety: one thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "collector/leaks/floor_history.h"
#include "collector/leaks/growth_evidence.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector {

class CallsiteWatch {
 public:
  CallsiteWatch(std::uint64_t base_width_ns, const GrowthOptions& options)
      : options_(options), history_(base_width_ns) {}

  void Add(std::uint64_t time_ns, const HeapCounters& counters);

  // The widest window that shows growth at present; none while none does.
  [[nodiscard]] std::optional<std::size_t> growing_tier() const;
  // Its evidence; null where there is none.
  [[nodiscard]] const GrowthEvidence* growth() const;

  // What the widest window with a judgement says: why it is no suspect.
  [[nodiscard]] const GrowthJudgement& widest() const;

  [[nodiscard]] const FloorHistory& history() const { return history_; }

 private:
  struct Verdict {
    GrowthJudgement judgement;
    GrowthEvidence growth;       // of the last judgement that saw it
    std::size_t streak = 0;      // judgements in a row that did
    std::uint64_t until_ns = 0;  // how long the word holds; 0: not given
  };

  void Judge(std::size_t tier);
  // Whether a wider window shows that this one's rise is the tail of another.
  [[nodiscard]] bool Overruled(std::size_t tier) const;

  GrowthOptions options_;
  FloorHistory history_;
  std::array<Verdict, FloorHistory::kTiers> verdicts_{};
};

}  // namespace heapledger::collector
