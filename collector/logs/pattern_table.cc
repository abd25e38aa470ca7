// SPDX-License-Identifier: Apache-2.0
#include "collector/logs/pattern_table.h"

#include <re2/re2.h>
#include <re2/set.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace heapledger::collector::logs {
namespace {

// For the program that RE2 makes of one expression; enough for a hundred lines
// of alternatives, and a user's mistake stays small.
constexpr std::int64_t kMaxExpressionMemory = 1 << 20;
constexpr std::int64_t kMaxSetMemory = 64 << 20;

RE2::Options Options(std::int64_t max_memory) {
  RE2::Options options;
  options.set_encoding(RE2::Options::EncodingLatin1);
  options.set_case_sensitive(false);
  options.set_log_errors(false);
  options.set_max_mem(max_memory);
  return options;
}

struct Matcher {
  std::size_t pattern;
  const Wording* wording;
  RE2 regex;
  std::unique_ptr<RE2> unless;
  int groups;  // that are looked at
  int number_group = 0;
  int killed_group = 0;
  int pid_group = 0;
};

int GroupOf(const RE2& regex, const char* name) {
  const auto& groups = regex.NamedCapturingGroups();
  const auto found = groups.find(name);
  return found == groups.end() ? 0 : found->second;
}

bool SaidBy(const Wording& wording, std::string_view program) {
  return wording.programs.empty() || program.empty() ||
         std::ranges::find(wording.programs, program) != wording.programs.end();
}

absl::Status Refused(const Pattern& pattern, const std::string& regex,
                     const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat("log pattern ", pattern.name,
                                                 ": '", regex,
                                                 "' is no expression that "
                                                 "can be looked for: ",
                                                 why));
}

}  // namespace

struct PatternTable::Compiled {
  Compiled() : set(Options(kMaxSetMemory), RE2::UNANCHORED) {}

  std::vector<std::unique_ptr<Matcher>> matchers;  // by index in the set
  RE2::Set set;
};

PatternTable::PatternTable(std::vector<Pattern> patterns)
    : patterns_(std::move(patterns)), compiled_(std::make_unique<Compiled>()) {}

PatternTable::~PatternTable() = default;

absl::Status PatternTable::Add(std::size_t pattern, const Wording& wording) {
  auto matcher = std::unique_ptr<Matcher>(new Matcher{
      pattern, &wording, RE2(wording.regex, Options(kMaxExpressionMemory)),
      nullptr, 0});
  if (!matcher->regex.ok()) {
    return Refused(patterns_[pattern], wording.regex, matcher->regex.error());
  }
  if (!wording.unless.empty()) {
    matcher->unless =
        std::make_unique<RE2>(wording.unless, Options(kMaxExpressionMemory));
    if (!matcher->unless->ok()) {
      return Refused(patterns_[pattern], wording.unless,
                     matcher->unless->error());
    }
  }
  matcher->killed_group = GroupOf(matcher->regex, kKilledGroup);
  matcher->pid_group = GroupOf(matcher->regex, kPidGroup);
  if (wording.at_least) {
    const int named = GroupOf(matcher->regex, kNumberGroup);
    matcher->number_group = named != 0 ? named : 1;
    if (matcher->regex.NumberOfCapturingGroups() < matcher->number_group) {
      return Refused(patterns_[pattern], wording.regex,
                     "it captures no number for the threshold; put (…) around "
                     "it");
    }
  }
  matcher->groups = 1 + std::max({matcher->number_group, matcher->killed_group,
                                  matcher->pid_group});
  std::string error;
  if (compiled_->set.Add(wording.regex, &error) < 0) {
    return Refused(patterns_[pattern], wording.regex, error);
  }
  compiled_->matchers.push_back(std::move(matcher));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<PatternTable>> PatternTable::Compile(
    std::vector<Pattern> patterns) {
  std::unique_ptr<PatternTable> table(new PatternTable(std::move(patterns)));
  for (std::size_t i = 0; i < table->patterns_.size(); ++i) {
    for (const Wording& wording : table->patterns_[i].wordings) {
      const absl::Status added = table->Add(i, wording);
      if (!added.ok()) return added;
    }
  }
  if (!table->compiled_->set.Compile()) {
    return absl::InvalidArgumentError(
        "log patterns: all expressions together are too large; use fewer");
  }
  return table;
}

namespace {

bool Means(const Matcher& matcher, const LogLine& line, PatternMatch* match) {
  if (!SaidBy(*matcher.wording, line.program)) return false;
  const re2::StringPiece text(line.text.data(), line.text.size());
  std::vector<re2::StringPiece> groups(
      static_cast<std::size_t>(matcher.groups));
  if (!matcher.regex.Match(text, 0, text.size(), RE2::UNANCHORED, groups.data(),
                           matcher.groups)) {
    return false;
  }
  if (matcher.unless != nullptr && RE2::PartialMatch(text, *matcher.unless)) {
    return false;
  }
  const auto group = [&groups](int index) {
    const re2::StringPiece& piece = groups[static_cast<std::size_t>(index)];
    return std::string(piece.data() == nullptr ? "" : piece.data(),
                       piece.size());
  };
  if (matcher.wording->at_least) {
    double number = 0;
    if (!absl::SimpleAtod(group(matcher.number_group), &number) ||
        !(number >= *matcher.wording->at_least)) {
      return false;
    }
  }
  match->pattern = matcher.pattern;
  if (matcher.killed_group != 0) match->killed = group(matcher.killed_group);
  if (matcher.pid_group != 0) {
    (void)absl::SimpleAtoi(group(matcher.pid_group), &match->pid);
  }
  return true;
}

}  // namespace

std::vector<PatternMatch> PatternTable::Match(const LogLine& line) const {
  std::vector<int> possible;
  RE2::Set::ErrorInfo error = {};
  const re2::StringPiece text(line.text.data(), line.text.size());
  if (!compiled_->set.Match(text, &possible, &error)) {
    if (error.kind == RE2::Set::kNoError) return {};
    // Out of its memory: each wording is asked by itself.
    possible.resize(compiled_->matchers.size());
    std::iota(possible.begin(), possible.end(), 0);
  }
  std::ranges::sort(possible);
  std::vector<PatternMatch> matches;
  for (const int index : possible) {
    const Matcher& matcher =
        *compiled_->matchers[static_cast<std::size_t>(index)];
    // The wordings of a pattern stand together. One that names who was killed
    // says more than one that does not.
    const bool known =
        !matches.empty() && matches.back().pattern == matcher.pattern;
    if (known && (matcher.killed_group == 0 || !matches.back().killed.empty()))
      continue;
    PatternMatch match;
    if (!Means(matcher, line, &match)) continue;
    if (known) {
      matches.back() = std::move(match);
    } else {
      matches.push_back(std::move(match));
    }
  }
  return matches;
}

}  // namespace heapledger::collector::logs
