// SPDX-License-Identifier: Apache-2.0
// A report as JSON: the --json of every verb that prints facts.
#pragma once

#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "collector/cli/report_view.h"

namespace heapledger::collector::cli {

// Hands the object to `out` piece by piece, as it would stand `indent` columns
// inside another value; without a line break at its end.
void StreamReportJson(const Report& report, const ReportOptions& options,
                      FrameNames& names, std::size_t indent,
                      const std::function<void(std::string_view)>& out);
[[nodiscard]] nlohmann::ordered_json CountersJson(const HeapCounters& counters);
// mode, sample_bytes, estimated, and where it was ever armed or disarmed since
// when: armed_at, disarmed_at.
[[nodiscard]] nlohmann::ordered_json ModeJson(const LedgerSnapshot& snapshot);
[[nodiscard]] nlohmann::ordered_json UnmeasuredJson(
    const std::vector<UnmeasuredProcess>& processes);
// Ends in a line break; what is no UTF-8 is replaced.
[[nodiscard]] std::string JsonText(const nlohmann::ordered_json& json);

}  // namespace heapledger::collector::cli
