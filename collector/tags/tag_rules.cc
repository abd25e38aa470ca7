// SPDX-License-Identifier: Apache-2.0
#include "collector/tags/tag_rules.h"

#include <re2/re2.h>

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace heapledger::collector {
namespace {

// What a pattern's automaton may take, in bytes.
constexpr std::int64_t kPatternMemory = std::int64_t{1} << 20;

RE2::Options Options() {
  RE2::Options options(RE2::Quiet);
  options.set_max_mem(kPatternMemory);
  return options;
}

}  // namespace

struct TagRules::Patterns {
  explicit Patterns(const TagRule& rule)
      : function(rule.function, Options()),
        module(rule.module, Options()),
        file(rule.file, Options()) {}

  // An empty pattern fits everything.
  [[nodiscard]] bool Fit(const ResolvedFrame& frame) const {
    return RE2::PartialMatch(frame.module, module) &&
           RE2::PartialMatch(frame.function, function) &&
           RE2::PartialMatch(frame.file, file);
  }

  RE2 function;
  RE2 module;
  RE2 file;
};

TagRules::TagRules() = default;
TagRules::~TagRules() = default;

absl::StatusOr<std::shared_ptr<const TagRules>> TagRules::Compile(
    std::vector<TagRule> rules) {
  if (rules.size() > kMaxTagRules) {
    return absl::InvalidArgumentError(
        absl::StrCat("there are ", rules.size(), " rules for tags, and ",
                     kMaxTagRules, " are the most; leave some out"));
  }
  const std::shared_ptr<TagRules> made(new TagRules());
  for (std::size_t i = 0; i < rules.size(); ++i) {
    auto patterns = std::make_unique<const Patterns>(rules[i]);
    for (const RE2* const pattern :
         {&patterns->function, &patterns->module, &patterns->file}) {
      if (pattern->ok()) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          "the pattern '", pattern->pattern(), "' of tag ", rules[i].tag.name,
          " cannot be read: ", pattern->error(), "; write it as RE2 has it"));
    }
    made->patterns_.push_back(std::move(patterns));
    if (rules[i].match == TagMatch::kInnermost) {
      made->innermost_ |= RuleSet{1} << i;
    }
  }
  made->rules_ = std::move(rules);
  return std::shared_ptr<const TagRules>(made);
}

RuleSet TagRules::Of(const std::string& program) const {
  RuleSet set = 0;
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const std::vector<std::string>& meant = rules_[i].processes;
    if (meant.empty() || std::ranges::find(meant, program) != meant.end()) {
      set |= RuleSet{1} << i;
    }
  }
  return set;
}

RuleSet TagRules::Fitting(const ResolvedFrame& frame) const {
  RuleSet set = 0;
  for (std::size_t i = 0; i < patterns_.size(); ++i) {
    if (patterns_[i]->Fit(frame)) set |= RuleSet{1} << i;
  }
  return set;
}

}  // namespace heapledger::collector
