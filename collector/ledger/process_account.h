// SPDX-License-Identifier: Apache-2.0
// The books of one process over time: its snapshots, how its heap grows, and
// its top callsites by name. What the exporter and the CLI show is a
// ProcessView; it is immutable and may be read while the next one is made.
//
// Thread safety: Update from one thread at a time; views from any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "collector/ledger/fingerprint.h"
#include "collector/ledger/growth.h"
#include "collector/ledger/history.h"
#include "collector/ledger/naming.h"
#include "collector/ledger/tag_accounts.h"
#include "collector/ledger/top_callsites.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector {

// A callsite as shown. `callsites` lists the records of the ledger that share
// the fingerprint, the one with the most live bytes first.
struct CallsiteView {
  Fingerprint fingerprint;
  CallsiteName name;
  HeapCounters counters;
  GrowthRates growth;
  std::vector<std::uint32_t> callsites;  // indexes into the snapshot's
  bool truncated = false;
  bool incomplete = false;
  bool overflow = false;
  bool cut = false;
};

struct ProcessView {
  std::shared_ptr<const LedgerSnapshot> snapshot;  // totals, identity, state
  GrowthRates growth;                              // of live bytes
  std::vector<CallsiteView> top;                   // most live bytes first
  HeapCounters other;  // sum(top) + other == snapshot->totals
  std::size_t other_callsites = 0;
  std::size_t callsites = 0;         // distinct fingerprints
  std::vector<TagAccount> tags;      // every one; see AccountsByTag()
  TopTags::Selection top_tags = {};  // of these
};

struct AccountOptions {
  std::size_t top_limit = 20;
  std::size_t tag_limit = 50;  // tags with series of their own
  // Callsites with a history of their own: the most live ones. Bounds memory to
  // about 1.6 KB each.
  std::size_t history_limit = 512;
};

class ProcessAccount {
 public:
  // `names` must outlive this object.
  ProcessAccount(const AccountOptions& options, FrameNames* names);

  // Books a later snapshot of the same ledger.
  std::shared_ptr<const ProcessView> Update(
      std::shared_ptr<const LedgerSnapshot> snapshot);

  // Every callsite's account as of the last Update. Indexes stay what they are.
  [[nodiscard]] std::span<const CallsiteAccount> accounts() const {
    return accounts_;
  }
  // Which of them a callsite of that snapshot is in.
  [[nodiscard]] std::size_t AccountOf(std::uint32_t callsite) const {
    return group_of_[callsite];
  }
  // One of them by name. `snapshot` is the last Update's.
  [[nodiscard]] CallsiteView ViewOf(std::size_t account,
                                    const LedgerSnapshot& snapshot);

 private:
  struct Group {  // the callsites of one fingerprint
    std::vector<std::uint32_t> callsites;
    bool named = false;
    CallsiteName name;
  };

  void LearnCallsites(const LedgerSnapshot& snapshot);
  void AddHistory(std::uint64_t time_ns);

  AccountOptions options_;
  FrameNames* names_;
  TopCallsites top_;
  TopTags top_tags_;
  GrowthMeter live_;
  std::vector<FrameHash> frame_hashes_;  // by frame index
  std::vector<std::size_t> group_of_;    // by callsite index
  std::vector<Group> groups_;
  std::vector<CallsiteAccount> accounts_;  // by group
  std::unordered_map<std::uint64_t, std::size_t> group_by_fingerprint_;
  std::unordered_map<std::uint64_t, GrowthMeter> histories_;  // by fingerprint
};

}  // namespace heapledger::collector
