// SPDX-License-Identifier: Apache-2.0
// The suspects of one process: which callsites are watched, and what the
// watches say. Watched are those whose live bytes rose most of late, so that a
// small leak in a program with a thousand large tables gets its watch, and no
// program gets more than its share of memory; and whether the program grows as
// a whole.
//
// Thread safety: Update from one thread at a time; views from any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "collector/leaks/age_evidence.h"
#include "collector/leaks/callsite_watch.h"
#include "collector/leaks/process_trend.h"
#include "collector/leaks/suspect_rules.h"
#include "collector/leaks/unreachable_evidence.h"
#include "collector/ledger/process_account.h"

namespace heapledger::collector {

struct Suspect {
  CallsiteView callsite;
  SuspectState state = SuspectState::kNew;
  // One of growth and unreachable at least; age comes with growth.
  std::optional<GrowthEvidence> growth;
  std::optional<AgeEvidence> age;
  std::optional<UnreachableEvidence> unreachable;
  std::uint64_t named_monotonic_ns = 0;  // when it became one
};

// The fastest first, then by what is unreachable.
void SortSuspects(std::vector<Suspect>& suspects);

// A callsite whose floor rose and that is no suspect.
struct Acquitted {
  CallsiteView callsite;
  GrowthJudgement judgement;
};

struct ProcessLeakView {
  std::shared_ptr<const LedgerSnapshot> snapshot;
  std::vector<Suspect> suspects;  // as SortSuspects
  TrendView trend;
  std::size_t watched = 0;
  bool scanned = false;         // there was a complete scan
  std::uint64_t looked_ns = 0;  // since the first snapshot
};

struct LeakOptions {
  GrowthOptions growth;
  std::uint64_t base_width_ns = FloorHistory::kBaseWidthNs;
  // Callsites under watch per process; 20 KB each.
  std::size_t watch_limit = 128;
  SuspectRules rules;
  // By how many bytes a process can grow, by pid; none where that is not known.
  // May be empty: there are no forecasts then. Called by Update.
  std::function<std::optional<std::uint64_t>(std::uint32_t pid)> headroom;
};

class ProcessLeaks {
 public:
  // `options` must outlive this object.
  explicit ProcessLeaks(const LeakOptions& options) : options_(options) {}

  // Books the snapshot that `account` was updated with last.
  std::shared_ptr<const ProcessLeakView> Update(
      ProcessAccount& account, std::shared_ptr<const LedgerSnapshot> snapshot,
      FrameNames& names);

  // Those that rose too and are no suspects, the largest rise first.
  [[nodiscard]] std::vector<Acquitted> Acquittals(
      ProcessAccount& account, const LedgerSnapshot& snapshot) const;

 private:
  static constexpr std::uint64_t kNever =
      std::numeric_limits<std::uint64_t>::max();

  // The lowest live bytes of a callsite in this epoch and the one before.
  struct Lowest {
    std::uint64_t now = kNever;
    std::uint64_t before = kNever;
  };
  struct Watch {
    CallsiteWatch watch;
    // The highest rise in this epoch and the one before.
    std::uint64_t rise = 0;
    std::uint64_t rise_before = 0;
    std::uint64_t named_ns = 0;  // 0: no suspect
  };
  struct Candidate {
    std::uint64_t rise;
    std::size_t group;
  };

  // Without its growth.
  Suspect SuspectOf(std::size_t group, ProcessAccount& account,
                    const LedgerSnapshot& snapshot, FrameNames& names) const;
  void BeginEpochs(std::uint64_t time_ns);
  std::vector<Candidate> BookRises(std::span<const CallsiteAccount> accounts);
  void Admit(std::vector<Candidate> candidates);

  void FollowTrend(const LedgerSnapshot& snapshot);

  const LeakOptions& options_;
  ProcessTrend trend_;
  std::uint64_t first_ns_ = 0;
  std::uint64_t epoch_ = 0;
  std::vector<Lowest> lowest_;                      // by group of the account
  std::unordered_map<std::size_t, Watch> watches_;  // by group
  UnreachableBlocks unreachable_;
};

}  // namespace heapledger::collector
