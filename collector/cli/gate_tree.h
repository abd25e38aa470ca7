// SPDX-License-Identifier: Apache-2.0
// Which programs of the gate's command ran, and which of them left no ledger.
//
// Thread safety: one thread at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "collector/cli/process_events.h"
#include "collector/cli/process_poll.h"
#include "collector/gate/round.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector::cli {

// Why a program at this path leaves no ledger, without a full stop. The path
// may be empty.
[[nodiscard]] std::string WhyWithoutLedger(const std::string& program);

class GateTree {
 public:
  // Watches from now on.
  GateTree() : events_(ProcessEvents::Listen()) {}

  // For the time until Look() should be called again: at the latest after
  // every(), and when wake() is readable.
  [[nodiscard]] int wake() const {
    return events_ == nullptr ? -1 : events_->descriptor();
  }
  [[nodiscard]] std::chrono::milliseconds every() const {
    return std::chrono::milliseconds(events_ == nullptr ? 20 : 1000);
  }
  void Look();

  // Takes note of a ledger; says whether a program without one took over from
  // its image by exec.
  gate::ImageFate Note(const LedgerSnapshot& snapshot);

  // Programs seen so far, where the kernel tells.
  [[nodiscard]] std::size_t started() const {
    return events_ == nullptr ? 0 : events_->images().size();
  }
  // Whether a process is known to run that came of the command.
  [[nodiscard]] bool AnythingRuns() const {
    return events_ != nullptr && !events_->running().empty();
  }

  // After the last ledger: the programs that have none. `markers` is what the
  // shim left instead; the command's own program is known, however short.
  struct Command {
    std::uint32_t pid = 0;
    std::string path;
  };
  [[nodiscard]] std::vector<gate::MissingImage> Missing(
      const std::vector<UnmeasuredProcess>& markers,
      const Command& command) const;
  // What a reader must know of the watch, without a full stop.
  [[nodiscard]] std::vector<std::string> Remarks() const;

 private:
  struct Ledger {
    std::uint32_t pid = 0;
    std::uint64_t created_monotonic_ns = 0;
    std::string program;
  };
  [[nodiscard]] std::vector<SeenImage> WithoutLedger() const;
  [[nodiscard]] std::vector<gate::MissingImage> StillRunning() const;
  // When a process became its first program; 0 where that is not known.
  [[nodiscard]] std::uint64_t FirstBegin(std::uint32_t pid) const;

  std::unique_ptr<ProcessEvents> events_;  // null where the kernel tells not
  ProcessPoll poll_;
  std::vector<Ledger> ledgers_;
};

}  // namespace heapledger::collector::cli
