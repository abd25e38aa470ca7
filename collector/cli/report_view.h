// SPDX-License-Identifier: Apache-2.0
// A process' books, sorted and cut as the user asked, as text. Shared by
// report, top and run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "collector/cli/memory_view.h"
#include "collector/ledger/naming.h"
#include "collector/ledger/process_account.h"
#include "collector/ledger/tag_accounts.h"
#include "collector/profile/difference.h"
#include "collector/profile/profile.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector::cli {

[[nodiscard]] std::uint64_t ValueOf(const HeapCounters& counters,
                                    ProfileValue value);

struct ReportOptions {
  ProfileValue value = ProfileValue::kLiveBytes;
  ProfileValue sort = ProfileValue::kLiveBytes;
  ProfileGroup by = ProfileGroup::kCallsite;
  std::size_t limit = 20;  // 0: all
  bool stacks = false;     // with each callsite
};

struct ReportRow {
  std::string callsite;  // fingerprint; empty when grouped otherwise
  CallsiteName name;
  HeapCounters counters;
  std::vector<std::uint32_t> callsites;  // indexes into the snapshot's
  std::optional<double> growth;          // bytes per second, where measured
  bool cut = false;  // of a callsite: adaptive depth left out outer frames
  std::optional<TagAccount> tag;  // of a tag
};

// Rows plus other equal the totals of the snapshot.
struct Report {
  std::shared_ptr<const LedgerSnapshot> snapshot;
  std::vector<ReportRow> rows;
  HeapCounters other;
  std::size_t other_rows = 0;
  std::vector<UnmeasuredProcess> unmeasured;
  std::optional<double> growth;
  std::optional<MemoryFacts> memory;  // where it was looked at
};

// For an account that shows every callsite and keeps no history of any.
[[nodiscard]] AccountOptions EveryCallsite();

// All callsites of one snapshot by name.
[[nodiscard]] std::shared_ptr<const ProcessView> ViewAll(
    std::shared_ptr<const LedgerSnapshot> snapshot, FrameNames& names);

// `before`, an earlier view of the same ledger, gives growth; may be null.
[[nodiscard]] Report MakeReport(const ProcessView& view,
                                const ReportOptions& options,
                                const ProcessView* before = nullptr);

[[nodiscard]] std::string ReportHeader(const Report& report);
// Empty for a process that was dormant all its life.
[[nodiscard]] std::string ReportTable(const Report& report,
                                      const ReportOptions& options,
                                      FrameNames& names);

}  // namespace heapledger::collector::cli
