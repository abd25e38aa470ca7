// SPDX-License-Identifier: Apache-2.0
// Tags for programs that know nothing of tags: by what stands on a callsite's
// stack. A rule names patterns (RE2, anywhere in the text, case counts) for the
// function, module and file of one frame; all that it names must fit the same
// frame. The first rule that fits a callsite gives its tag.
//
// Thread safety: immutable once made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/ledger/naming.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector {

// Each is a bit of a RuleSet.
inline constexpr std::size_t kMaxTagRules = 64;
using RuleSet = std::uint64_t;

enum class TagMatch {
  kAny,        // any frame of the stack
  kInnermost,  // the one that names the callsite: see NameCallsite()
};

struct TagRule {
  TagInfo tag;
  std::vector<std::string> processes;  // names of programs; none: all
  std::string function;                // empty: any
  std::string module;
  std::string file;
  TagMatch match = TagMatch::kAny;
};

class TagRules {
 public:
  // InvalidArgument where a pattern cannot be read; at most kMaxTagRules.
  [[nodiscard]] static absl::StatusOr<std::shared_ptr<const TagRules>> Compile(
      std::vector<TagRule> rules);
  ~TagRules();

  [[nodiscard]] const std::vector<TagRule>& rules() const { return rules_; }
  // Those that are meant for this program.
  [[nodiscard]] RuleSet Of(const std::string& program) const;
  // Those whose patterns fit this frame.
  [[nodiscard]] RuleSet Fitting(const ResolvedFrame& frame) const;
  // Those that look at the naming frame alone.
  [[nodiscard]] RuleSet innermost() const { return innermost_; }

 private:
  struct Patterns;
  TagRules();

  std::vector<TagRule> rules_;
  std::vector<std::unique_ptr<const Patterns>> patterns_;  // by rule
  RuleSet innermost_ = 0;
};

}  // namespace heapledger::collector
