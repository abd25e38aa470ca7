// SPDX-License-Identifier: Apache-2.0
// The heaps of several processes as one: callsites of the same fingerprint are
// one row, and each process keeps its share of it.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "collector/cli/family.h"
#include "collector/cli/report_view.h"

namespace heapledger::collector::cli {

struct MergedRow {
  std::string callsite;  // fingerprint; empty when grouped otherwise
  CallsiteName name;
  HeapCounters counters;
  std::vector<HeapCounters> by_process;  // as MergedReport::processes

  // Processes that hold any of it.
  [[nodiscard]] std::size_t holders() const;
};

// The rows, `other` included, add up to `totals`, and for each process to its
// own totals.
struct MergedReport {
  Family processes;
  std::vector<MergedRow> rows;
  MergedRow other;
  std::size_t other_rows = 0;
  HeapCounters totals;
};

[[nodiscard]] MergedReport MergeReports(const Family& processes,
                                        const ReportOptions& options,
                                        FrameNames& names);

// The processes, then the callsites.
[[nodiscard]] std::string MergedText(const MergedReport& report,
                                     const ReportOptions& options);
[[nodiscard]] nlohmann::ordered_json MergedJson(const MergedReport& report,
                                                const ReportOptions& options);

}  // namespace heapledger::collector::cli
