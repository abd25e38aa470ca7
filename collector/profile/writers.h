// SPDX-License-Identifier: Apache-2.0
// One function per format; see formats.h, which is the way in.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "collector/profile/formats.h"
#include "collector/profile/profile.h"

namespace heapledger::collector {

// Lines "outermost;…;innermost value", sorted, equal stacks added up. Of a
// difference "stack before after", as flamegraph.pl takes them. Frames are
// functions; a stack that lacks outer frames begins with its mark.
[[nodiscard]] std::string WriteFolded(const Profile& profile,
                                      const WriteOptions& options);

// profile.proto, gzip. Samples of no value at all are left out. A stack that
// lacks outer frames ends in a location without address that bears its mark.
[[nodiscard]] absl::StatusOr<std::string> WritePprof(const Profile& profile);

// Lines "value share function  module". The lines indented below a line add up
// to it. One that begins with "↳" is all that the line above calls: it has the
// same value, and no indent of its own.
[[nodiscard]] std::string WriteText(const Profile& profile,
                                    const WriteOptions& options);

// The file format of speedscope.app: a sampled profile per value; of a
// difference two, what grew and what shrank, both as positive weights.
[[nodiscard]] std::string WriteSpeedscope(const Profile& profile,
                                          const WriteOptions& options);

// {
//   "heapledger_profile": 1,   version; raised when a reader would misread
//   "facts": {"program", "exe", "pid", "moment"?, "created_at", "taken_at",
//             "state", "mode", "stack", "max_depth", "sample_bytes",
//             "estimated", "peak_live_bytes"},
//   "remarks": [sentence],
//   "difference": bool,
//   "totals": VALUES,
//   "before": VALUES,          of a difference
//   "compared": [facts],       of a difference, oldest first
//   "modules": [{"path", "build_id"}],
//   "frames": [{"function", "module"?, "file"?, "line"?, "rel_pc",
//               "inlined"?, "python"?}],  module by index
//   "callsites": [{"callsite", "function", "module", "file"?, "line"?,
//                  "values": VALUES, "before"?: VALUES, "truncated"?,
//                  "incomplete"?, "cut"?, "inherited"?, "overflow"?,
//                  "stack": [frame index]}],   innermost first
//   "other": {"callsites": count, "values": VALUES, "before"?: VALUES}
// }
// VALUES is {"live_bytes", "live_objects", "allocated_bytes", "allocations"};
// of a difference, values are after less before. Callsites and other add up to
// totals. Times are UTC as in RFC 3339.
[[nodiscard]] std::string WriteJson(const Profile& profile,
                                    const WriteOptions& options);

// A flame graph of options.value: boxes with titles, no script.
[[nodiscard]] std::string WriteSvg(const Profile& profile,
                                   const WriteOptions& options);

// The page, for people: flame graph, search and table of callsites, all values,
// in one file that needs no network.
[[nodiscard]] absl::StatusOr<std::string> WriteHtml(
    const Profile& profile, const WriteOptions& options);

}  // namespace heapledger::collector
