// SPDX-License-Identifier: Apache-2.0
// From what a user types (nothing, a pid, a program's name, a file) to one
// death: a sealed obituary, else what the ledger of a dead process and the
// kernel's log tell together.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "collector/cli/heap.h"
#include "collector/cli/symbols.h"
#include "collector/obituary/obituary.h"
#include "collector/shm/discovery.h"

namespace heapledger::collector::cli {

struct Death {
  Heap heap;
  obituary::Obituary obituary;
  std::string path;     // of the obituary or the ledger
  bool sealed = false;  // an obituary
};

// `store` is the directory of obituaries; may be empty. The newest death that
// fits `what`; of any process where that is empty. FailedPrecondition for a
// process that runs, InvalidArgument for a file that is no obituary.
[[nodiscard]] absl::StatusOr<Death> FindDeath(const DiscoveryOptions& options,
                                              const std::string& store,
                                              const std::string& what,
                                              Symbols& symbols);

}  // namespace heapledger::collector::cli
