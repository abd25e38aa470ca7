// SPDX-License-Identifier: Apache-2.0
// What a run must keep to.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace heapledger::collector::gate {

enum class Judged {
  kUnreachable,  // what no pointer reaches at the end
  kAllLive,      // whatever was not freed
};

struct Policy {
  Judged judged = Judged::kUnreachable;
  bool tell_reachable = true;
  bool allow_unmeasured = false;
  std::uint64_t max_leaked_bytes = 0;  // of leaks that are new
  // Live bytes that a round leaves beyond the round before it, at callsites
  // that did so in every round; of a single round, all that it leaves.
  std::optional<std::uint64_t> max_growth_bytes = {};
  std::optional<std::uint64_t> max_peak_bytes = {};   // of any process
  std::optional<std::uint64_t> max_allocations = {};  // of all together
  // Live bytes at the end, of all together, by a tag's text or name.
  std::map<std::string, std::uint64_t> max_tag_live_bytes = {};

  // Whether rounds need callsites whose blocks are all reachable.
  [[nodiscard]] bool needs_live() const {
    return judged == Judged::kAllLive || max_growth_bytes.has_value();
  }
};

}  // namespace heapledger::collector::gate
