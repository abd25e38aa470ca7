// SPDX-License-Identifier: Apache-2.0
// A baseline as a file: JSON with a version, so that a later build knows what
// it reads, and sketches whole, so that learning goes on where it ended.
//
//   {"format": "heapledger baseline", "version": 1,
//    "programs": {"NAME": {"current": PERIOD, "previous": PERIOD}}}
//   PERIOD: {"begin_ns", "end_ns", "samples", "all": SKETCHES,
//            "slots": {"0" to "167": SKETCHES}}
//   SKETCHES: {"rss_bytes": {"count", "min", "max", "mean", "squares", "zeros",
//              "buckets": [[index, count], …]}, …}, those with a count
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collector/baseline/baseline.h"

namespace heapledger::collector::baseline {

inline constexpr int kFileVersion = 1;

// ParseBaseline(BaselineText(b)) is b.
[[nodiscard]] std::string BaselineText(const Baseline& baseline);
// InvalidArgument names `source` and what is wrong with it.
[[nodiscard]] absl::StatusOr<Baseline> ParseBaseline(std::string_view text,
                                                     const std::string& source);

// NotFound where there is no such file.
[[nodiscard]] absl::StatusOr<Baseline> ReadBaselineFile(
    const std::string& path);
// The whole file or none of it, whenever we are killed; mode 0600.
[[nodiscard]] absl::Status WriteBaselineFile(const std::string& path,
                                             const Baseline& baseline);

}  // namespace heapledger::collector::baseline
