// SPDX-License-Identifier: Apache-2.0
// From ledgers to a round: which images were judged, and what they left behind,
// by name. A ledger is looked at once and need not be kept.
#pragma once

#include <cstdint>
#include <string>

#include "collector/gate/round.h"
#include "collector/ledger/naming.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector::gate {

// Which callsites a round needs; names take time.
enum class Callsites { kUnreachable, kAllLive };

// Thread safety: one thread at a time.
class RoundMaker {
 public:
  RoundMaker(FrameNames& names, Callsites callsites)
      : names_(names), callsites_(callsites) {}

  // The process is gone, or never will be judged. `fate` says what else is
  // known of the image: kReplaced by a program that has no ledger.
  void Add(const LedgerSnapshot& snapshot, std::uint32_t root_pid,
           ImageFate fate = ImageFate::kJudged);
  void AddMissing(MissingImage missing);

  [[nodiscard]] Round Take(int program_status);

 private:
  void AddTag(const LedgerSnapshot& snapshot, std::uint32_t callsite,
              const Amount& live);
  void AddCallsite(const LedgerSnapshot& snapshot, std::uint32_t index,
                   const LeakCounts& leaked, const std::string& process);

  FrameNames& names_;
  const Callsites callsites_;
  Round round_;
};

}  // namespace heapledger::collector::gate
