// SPDX-License-Identifier: Apache-2.0
// The programs below us, as far as /proc shows them when we look: for where the
// kernel does not tell (process_events.h). What starts and ends between two
// looks is missed, so this finds daemons and servers, not every short program.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "collector/cli/process_events.h"

namespace heapledger::collector::cli {

class ProcessPoll {
 public:
  void Look();

  // Programs that never had the shim loaded in any look but their first, when
  // the loader may not have come to it.
  [[nodiscard]] std::vector<SeenImage> WithoutShim() const;

 private:
  struct Seen {
    std::uint32_t looks = 0;
    bool has_shim = false;
  };
  void LookBelow(std::uint32_t pid);

  std::map<std::pair<std::uint32_t, std::string>, Seen> seen_;  // pid, program
};

}  // namespace heapledger::collector::cli
