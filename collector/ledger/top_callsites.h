// SPDX-License-Identifier: Apache-2.0
// Which callsites get a series of their own. A callsite enters at rank N and
// leaves behind rank 2N, so that two that swap places at the border do not make
// series come and go; what has none is summed, exactly, into "other".
//
// Thread safety: one thread at a time.
#pragma once

#include <cstddef>
#include <span>
#include <unordered_set>
#include <vector>

#include "collector/ledger/fingerprint.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector {

// One callsite's account, records of the same fingerprint added up.
struct CallsiteAccount {
  Fingerprint fingerprint;
  HeapCounters counters;
};

struct TopSelection {
  std::vector<std::size_t> rows;  // indexes into the accounts, most live first
  HeapCounters other;             // of all that are not in rows
  std::size_t other_callsites = 0;
};

class TopCallsites {
 public:
  explicit TopCallsites(std::size_t limit) : limit_(limit) {}

  // Fingerprints in `accounts` must be unique. The sum over the rows plus
  // `other` equals the sum over `accounts`. Has at least the N first rows and
  // never more than 2N.
  [[nodiscard]] TopSelection Select(std::span<const CallsiteAccount> accounts);

 private:
  std::size_t limit_;
  std::unordered_set<std::uint64_t> members_;
};

}  // namespace heapledger::collector
