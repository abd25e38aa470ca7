// SPDX-License-Identifier: Apache-2.0
// A process' books by tag: what each tag holds, and what has none.
//
// Thread safety: any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "collector/ledger/top_callsites.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector {

struct TagAccount {
  TagInfo tag;  // kUntaggedName for what has none
  HeapCounters counters;
  ScopeCounts scopes;
};

// One account for each tag text of a snapshot, the one with most live bytes
// first, and one for what has no tag. Their counters add up to the totals.
// Empty for a process without tags.
[[nodiscard]] std::vector<TagAccount> AccountsByTag(
    const LedgerSnapshot& snapshot);

// Which of them get series of their own: see top_callsites.h. What has no tag
// always does; a tag that is called kOtherTagName never.
class TopTags {
 public:
  explicit TopTags(std::size_t limit) : top_(limit) {}

  struct Selection {
    std::vector<std::size_t> rows;  // indexes into the accounts
    TagAccount other;               // all that are not in rows
    std::size_t other_tags = 0;
  };
  [[nodiscard]] Selection Select(const std::vector<TagAccount>& accounts);

 private:
  TopCallsites top_;
};

}  // namespace heapledger::collector
