// SPDX-License-Identifier: Apache-2.0
// A user's own patterns, from YAML:
//
//   disable: [swap_thrashing]     # names that are not to be looked for
//   patterns:
//     - name: slow_checkpoint     # a name of the built-in ones replaces that
//       severity: medium          # low, medium, high or critical
//       description: a checkpoint took long         # optional
//       regex: 'checkpoint complete.* total=([0-9.]+) s'   # RE2, any case
//       unless: 'restartpoint'    # optional: a line that is not meant
//       programs: [postgres]      # optional: whose lines; see pattern.h
//       threshold: 30             # optional: the captured number, at least
//
// Anything else in the file is an error: a misspelt key would silence a
// pattern.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/logs/pattern.h"

namespace heapledger::collector::logs {

inline constexpr std::size_t kMaxUserPatterns = 64;

// The built-in patterns as changed by `text`. InvalidArgument names `source`,
// the line and what is wrong with it; expressions are checked by
// PatternTable::Compile.
[[nodiscard]] absl::StatusOr<std::vector<Pattern>> ParsePatternConfig(
    const std::string& text, const std::string& source);

}  // namespace heapledger::collector::logs
