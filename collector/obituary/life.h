// SPDX-License-Identifier: Apache-2.0
// What the collector keeps of a process while it runs, for the day it dies: a
// history of bounded size, what its callsites were when its memory ran short,
// the surroundings as of the last look. It looks only at what the samplers have
// published, so it costs a few microseconds per process and look.
//
// Takes some 40 KB. Thread safety: one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "collector/leaks/process_leaks.h"
#include "collector/ledger/process_account.h"
#include "collector/obituary/obituary.h"
#include "collector/obituary/series.h"
#include "collector/system/system_view.h"

namespace heapledger::collector::obituary {

// What is known beside the ledger at the time of a look.
struct Surroundings {
  std::uint64_t realtime_ns = 0;
  std::shared_ptr<const SystemView> system;      // never null
  std::shared_ptr<const ProcessLeakView> leaks;  // may be null
};

[[nodiscard]] std::optional<HostState> HostStateOf(const SystemView& view);

class Life {
 public:
  static constexpr std::size_t kMaxCallsites = 16;
  // Shares of the tightest limit at which the callsites are kept. An episode is
  // over, and the next one counts, below kCalmRatio.
  static constexpr double kPressure[] = {0.90, 0.97};
  static constexpr double kCalmRatio = 0.85;

  // Takes a look at the running process. Whether its memory runs short, for the
  // first time in this episode: pressure().back() says how far.
  bool Look(std::shared_ptr<const ProcessView> view,
            const Surroundings& surroundings);

  // Of the last look; null before the first.
  [[nodiscard]] const std::shared_ptr<const ProcessView>& view() const {
    return view_;
  }
  [[nodiscard]] const std::vector<PressureSample>& pressure() const {
    return pressure_;
  }
  [[nodiscard]] const std::optional<CgroupPlace>& place() const {
    return place_;
  }
  [[nodiscard]] std::uint64_t last_look_ns() const { return last_look_ns_; }

  // Adds the last figures of the dead process' ledger to the history.
  void AddLast(const ProcessView& view, std::uint64_t died_realtime_ns);

  // Puts into `obituary` what was kept: watched_since_ns, cgroup_before,
  // host_before, last_resident_bytes, others, pressure, events, suspects,
  // callsites and history.
  void Tell(FrameNames& names, Obituary& obituary) const;
  [[nodiscard]] std::string EncodedHistory() const { return series_.Encode(); }

 private:
  void LookAtPlace(const SystemView& system, std::uint64_t now_ns);
  void LookAtSuspects(std::uint64_t now_ns);
  void AddRow(const ProcessView& view, std::uint64_t realtime_ns);
  void Admit(const ProcessView& view);
  bool LookForPressure(const SystemView& system, std::uint64_t now_ns);

  Series series_;
  std::vector<CallsiteColumn> callsites_;     // of the series' columns
  std::vector<std::uint64_t> callsite_keys_;  // their fingerprints
  std::vector<std::uint64_t> row_;            // scratch
  std::shared_ptr<const ProcessView> view_;
  std::shared_ptr<const SystemView> system_;
  std::shared_ptr<const ProcessLeakView> leaks_;  // the last with something
  std::unordered_set<std::uint64_t> suspects_;    // that had their event
  std::vector<Event> events_;
  std::vector<PressureSample> pressure_;
  std::size_t level_ = 0;  // of kPressure that this episode has passed
  std::optional<CgroupPlace> place_;
  std::uint64_t next_place_ns_ = 0;
  // The last, and the last of which it is known that it lived longer: a kill
  // is counted before anybody sees the process gone.
  std::optional<CgroupFacts> cgroup_;
  std::optional<CgroupFacts> survived_cgroup_;
  std::uint64_t resident_bytes_ = 0;
  std::uint64_t first_look_ns_ = 0;
  std::uint64_t last_look_ns_ = 0;
};

}  // namespace heapledger::collector::obituary
