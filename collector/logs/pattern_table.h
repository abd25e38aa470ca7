// SPDX-License-Identifier: Apache-2.0
// The patterns, compiled: one pass over a line finds the wordings that it may
// be, and only those are looked at closely. RE2 takes time linear in the line,
// whatever the expression, so a line cannot be made to hold the reader up.
//
// Lines and expressions are bytes, not characters: what is no UTF-8 matches
// all the same, and case is that of ASCII.
//
// Thread safety: immutable; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/logs/log_line.h"
#include "collector/logs/pattern.h"

namespace heapledger::collector::logs {

struct PatternMatch {
  std::size_t pattern = 0;  // index into PatternTable::patterns()
  std::string killed;       // empty unless the wording names one
  std::uint32_t pid = 0;    // of the killed one; 0 where not told
};

class PatternTable {
 public:
  // InvalidArgument names the pattern and what is wrong with its expression.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<PatternTable>> Compile(
      std::vector<Pattern> patterns);
  ~PatternTable();

  // At most one per pattern, in the order of the patterns.
  [[nodiscard]] std::vector<PatternMatch> Match(const LogLine& line) const;

  [[nodiscard]] const std::vector<Pattern>& patterns() const {
    return patterns_;
  }

 private:
  struct Compiled;

  explicit PatternTable(std::vector<Pattern> patterns);
  absl::Status Add(std::size_t pattern, const Wording& wording);

  std::vector<Pattern> patterns_;
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace heapledger::collector::logs
