// SPDX-License-Identifier: Apache-2.0
// A death as text and as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "collector/cli/find_death.h"
#include "collector/cli/report_view.h"

namespace heapledger::collector::cli {

// The table of a dead process' callsites; rows of the history have their
// growth.
[[nodiscard]] Report DeathReport(const Death& death,
                                 const ReportOptions& options,
                                 FrameNames& names);

// The verdict first, a whole screen after it; with `quiet` the verdict alone.
[[nodiscard]] std::string PostmortemText(const Death& death,
                                         const Report& report,
                                         const ReportOptions& options,
                                         FrameNames& names, bool quiet);

// {"verdict", "process": {"program", "pid", "exe", "start_time_ticks", "image",
//   "created_at"}, "died_at", "died_exactly", "reason", "sealed", "path",
//  "obituary": as in the file (obituary.h), "marks": […],
//  "history": {"columns": […], "rows": [[time_ms, value…], …]},
//  "report": as of `report --json`}
[[nodiscard]] nlohmann::ordered_json PostmortemJson(
    const Death& death, const Report& report, const ReportOptions& options,
    FrameNames& names);

}  // namespace heapledger::collector::cli
