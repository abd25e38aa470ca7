// SPDX-License-Identifier: Apache-2.0
// A heap that a user names: a ledger now, a mark of it, or a snapshot file. All
// of them give the same snapshot; a file may bring its names along.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/ledger/naming.h"
#include "collector/profile/hl_file.h"
#include "collector/shm/discovery.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector::cli {

struct Heap {
  std::shared_ptr<const LedgerSnapshot> snapshot;
  std::shared_ptr<FrameNames> names;  // that were stored; else null
  std::vector<HlMark> marks;          // set before it was taken
  nlohmann::ordered_json facts;       // of a file; else null
  std::string moment;  // the mark or file as the user named it; else empty
  std::vector<HlSection> others = {};  // of a file; see HlFile

  [[nodiscard]] bool is_file() const { return facts.is_object(); }
};

// PID, NAME, a .ledger or .hl file, or any of the first three with "@MARK".
// InvalidArgument for a file that is no sound snapshot and for a bad mark name.
[[nodiscard]] absl::StatusOr<Heap> FindHeap(const DiscoveryOptions& options,
                                            const std::string& what);

// A mark of a ledger.
[[nodiscard]] absl::StatusOr<Heap> FindMark(
    const std::shared_ptr<const LedgerSnapshot>& ledger,
    const std::string& name);

}  // namespace heapledger::collector::cli
