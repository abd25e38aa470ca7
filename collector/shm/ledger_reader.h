// SPDX-License-Identifier: Apache-2.0
// Reads a ledger that its writer may be changing, may have left torn, or may
// have made up: every number is loaded once, checked, and only then used.
//
// Thread safety: one thread at a time per reader; readers are independent.
//
// Invariants:
//  (1) Only pages that a published extent names are touched, each claimed by
//  one
//      extent, so memory and time are bounded by the size of the file.
//  (2) Nothing in the ledger is taken for an address of ours.
//  (3) All `freed` of all shards are read before any `allocated`.
//
// On failure: a file that is cut short while it is read raises SIGBUS; the
// guard turns that into a status. What makes no sense by itself (a node that
// leads in a circle, a name without an end) is left out and counted in
// corrupt_records.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector {

class LedgerReader {
 public:
  // Takes over `descriptor`, an open regular file; `path` is for messages.
  static absl::StatusOr<std::unique_ptr<LedgerReader>> Adopt(int descriptor,
                                                             std::string path);
  // As Adopt, of a file that anybody may own (a copy given by name).
  static absl::StatusOr<std::unique_ptr<LedgerReader>> Open(
      const std::string& path);

  ~LedgerReader();
  LedgerReader(const LedgerReader&) = delete;
  LedgerReader& operator=(const LedgerReader&) = delete;

  // Counters and state as of now, and what was added since the last call. The
  // state is the ledger's own word; process_identity.h judges it.
  absl::StatusOr<LedgerSnapshot> Take();

  // Live bytes as of now, from two pages: cheap enough to be asked every few
  // milliseconds. What threads are about to book may be missing.
  absl::StatusOr<std::uint64_t> LiveBytes();

 private:
  class Impl;
  explicit LedgerReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace heapledger::collector
