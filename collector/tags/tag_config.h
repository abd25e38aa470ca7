// SPDX-License-Identifier: Apache-2.0
// The user's words on tags, from YAML:
//
//   tags:                          # for programs that have none of their own
//     - tag: keyspace              # its name
//       labels: {part: dict}       # optional, at most 4
//       processes: [redis-server]  # optional: for these alone, by the name of
//                                  # their file or their own
//       function: '^dict'          # RE2, at least one of these three; all that
//       module: redis-server       # are given must fit the same frame
//       file: 'src/dict\.c$'
//       match: innermost           # or any (default): which frame of the stack
//   metrics:                       # names of your own, or for a built-in one
//     - metric: cache_memory_usage_bytes
//       tag: cache                 # all tags of this name
//       labels: [cache_type]       # optional: by these labels of theirs
//       value: live_bytes          # or live_objects, allocated_bytes,
//                                  # open_scopes
//       help: what the caches hold # optional
//
// Anything else in the file is an error.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/tags/application_metrics.h"
#include "collector/tags/tag_rules.h"

namespace heapledger::collector {

inline constexpr std::size_t kMaxApplicationMetrics = 64;

struct TagConfig {
  std::shared_ptr<const TagRules> rules;  // null where there are none
  std::vector<ApplicationMetric> metrics = DefaultApplicationMetrics();
};

// InvalidArgument names `source`, the line and what is wrong with it.
[[nodiscard]] absl::StatusOr<TagConfig> ParseTagConfig(
    const std::string& text, const std::string& source);

}  // namespace heapledger::collector
