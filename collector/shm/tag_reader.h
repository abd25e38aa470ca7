// SPDX-License-Identifier: Apache-2.0
// Tags and their scopes, out of a ledger.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collector/shm/extent_map.h"
#include "collector/shm/mapped_ledger.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector {

using IndexOfId = absl::flat_hash_map<std::uint32_t, std::uint32_t>;

// The tags that are published and not in `known`, by id.
[[nodiscard]] absl::StatusOr<std::vector<std::pair<std::uint32_t, TagInfo>>>
ReadNewTags(const MappedLedger& file, const ExtentMap& extents,
            const IndexOfId& known);

// How often the scopes of each tag were begun and ended.
class ScopeSums {
 public:
  explicit ScopeSums(const MappedLedger& file) : file_(file) {}

  // Before the tags: whoever was counted is published then.
  absl::Status Read();

  // Whether scopes were counted whose tag had no room.
  [[nodiscard]] bool has_other() const;

  // Puts them into the snapshot by tag index. What belongs to no tag, or counts
  // more than can be, is left out and counted in corrupt_records.
  void Book(const IndexOfId& index_of_tag, LedgerSnapshot& snapshot);

 private:
  absl::Status Add(const std::vector<ExtentView>& extents, std::size_t field,
                   std::uint64_t ScopeCounts::*count);

  const MappedLedger& file_;
  std::vector<ScopeCounts> by_id_;
  std::uint64_t corrupt_ = 0;
};

}  // namespace heapledger::collector
