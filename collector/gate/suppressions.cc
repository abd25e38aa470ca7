// SPDX-License-Identifier: Apache-2.0
#include "collector/gate/suppressions.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "collector/gate/byte_size.h"
#include "collector/gate/lsan_pattern.h"
#include "collector/profile/foreign_text.h"

namespace heapledger::collector::gate {
namespace {

constexpr std::string_view kBlanks = " \t\r\v\f";

std::string_view Trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

// What comments said since the rule before.
struct Remarks {
  std::string reason;
  std::optional<Day> expires;
  std::optional<std::uint64_t> max_bytes;
};

constexpr std::string_view kWords[] = {"reason=", "expires=", "max="};

// Where the next of our words begins at a word's beginning.
std::size_t NextWord(std::string_view text, std::size_t from) {
  for (std::size_t i = from; i < text.size(); ++i) {
    if (i > 0 && kBlanks.find(text[i - 1]) == std::string_view::npos) continue;
    for (const std::string_view word : kWords) {
      if (text.substr(i).starts_with(word)) return i;
    }
  }
  return std::string_view::npos;
}

std::string_view Unquoted(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    return text.substr(1, text.size() - 2);
  }
  return text;
}

// What is wrong with "word=value"; empty if nothing is.
std::string TakeRemark(std::string_view word, std::string_view value,
                       Remarks& remarks) {
  if (word == "reason=") {
    remarks.reason = OneLine(value);
    return "";
  }
  if (word == "expires=") {
    remarks.expires = ParseDay(value);
    if (remarks.expires) return "";
    return absl::StrCat("'", OneLine(value),
                        "' is no day; write it as expires=2027-06-30");
  }
  remarks.max_bytes = ParseByteSize(value);
  if (remarks.max_bytes) return "";
  return absl::StrCat("'", OneLine(value),
                      "' is no size; write it as max=64KiB");
}

std::string TakeComment(std::string_view comment, Remarks& remarks) {
  comment = Trim(
      comment.substr(comment.find_first_not_of('#') == std::string_view::npos
                         ? comment.size()
                         : comment.find_first_not_of('#')));
  if (NextWord(comment, 0) != 0) return "";  // an ordinary comment
  for (std::size_t at = 0; at != std::string_view::npos;) {
    const std::size_t next = NextWord(comment, at + 1);
    const std::string_view part = comment.substr(at, next - at);
    const std::size_t equals = part.find('=') + 1;
    const std::string wrong = TakeRemark(
        part.substr(0, equals), Unquoted(Trim(part.substr(equals))), remarks);
    if (!wrong.empty()) return wrong;
    at = next;
  }
  return "";
}

std::optional<int> TakeDigits(std::string_view text) {
  int number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return number;
}

}  // namespace

std::string SuppressionRule::ToString() const {
  return absl::StrCat(source, ":", line, ": leak:", pattern);
}

std::optional<Day> ParseDay(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') {
    return std::nullopt;
  }
  const auto year = TakeDigits(text.substr(0, 4));
  const auto month = TakeDigits(text.substr(5, 2));
  const auto day = TakeDigits(text.substr(8, 2));
  if (!year || !month || !day || *year < 0 || *month < 0 || *day < 0) {
    return std::nullopt;
  }
  const Day parsed{std::chrono::year(*year),
                   std::chrono::month(static_cast<unsigned>(*month)),
                   std::chrono::day(static_cast<unsigned>(*day))};
  if (!parsed.ok()) return std::nullopt;
  return parsed;
}

std::string DayText(Day day) {
  return absl::StrFormat("%04d-%02u-%02u", static_cast<int>(day.year()),
                         static_cast<unsigned>(day.month()),
                         static_cast<unsigned>(day.day()));
}

absl::Status Suppressions::Add(std::string_view text,
                               const std::string& source) {
  std::vector<SuppressionRule> added;
  Remarks remarks;
  int number = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = Trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    ++number;
    const auto refuse = [&](const std::string& why) {
      return absl::InvalidArgumentError(
          absl::StrCat("suppressions ", source, ":", number, ": ", why));
    };
    if (line.empty()) {
      remarks = {};
    } else if (line.front() == '#') {
      const std::string wrong = TakeComment(line, remarks);
      if (!wrong.empty()) return refuse(wrong);
    } else if (line.starts_with("leak:")) {
      added.push_back({std::string(line.substr(5)), source, number,
                       std::move(remarks.reason), remarks.expires,
                       remarks.max_bytes});
      remarks = {};
    } else {
      return refuse(absl::StrCat("'", OneLine(Beginning(line, 60)),
                                 "' is no rule; write leak:PATTERN, or # "
                                 "before a comment"));
    }
  }
  std::ranges::move(added, std::back_inserter(rules_));
  return absl::OkStatus();
}

bool Fits(const SuppressionRule& rule, const Finding& finding) {
  return std::ranges::any_of(finding.stack, [&](const StackFunction& frame) {
    return MatchesLsanPattern(rule.pattern, frame.function) ||
           MatchesLsanPattern(rule.pattern, frame.file) ||
           MatchesLsanPattern(rule.pattern, frame.module_path);
  });
}

std::optional<std::size_t> Suppressions::Match(
    const Finding& finding, Day today,
    std::vector<std::size_t>* expired) const {
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    if (!Fits(rules_[i], finding)) continue;
    if (!rules_[i].expires || today <= *rules_[i].expires) return i;
    expired->push_back(i);
  }
  return std::nullopt;
}

std::string SuppressionsOption(std::string_view lsan_options) {
  constexpr std::string_view kSeparators = " \t\r\n:,";
  constexpr std::string_view kName = "suppressions=";
  std::string value;
  while (!lsan_options.empty()) {
    const std::size_t begin = lsan_options.find_first_not_of(kSeparators);
    if (begin == std::string_view::npos) break;
    lsan_options.remove_prefix(begin);
    const std::size_t equals = lsan_options.find('=');
    const std::size_t quote =
        equals == std::string_view::npos ? equals : equals + 1;
    std::size_t end = lsan_options.find_first_of(kSeparators);
    std::string_view option = lsan_options.substr(0, end);
    // A value in quotes may hold what else would end it.
    if (quote < lsan_options.size() && quote <= option.size() &&
        (lsan_options[quote] == '"' || lsan_options[quote] == '\'')) {
      const std::size_t close =
          lsan_options.find(lsan_options[quote], quote + 1);
      end = close == std::string_view::npos ? close : close + 1;
      option = lsan_options.substr(0, end);
      if (option.starts_with(kName)) {
        value = option.substr(quote + 1, close - quote - 1);
      }
    } else if (option.starts_with(kName)) {
      value = option.substr(kName.size());
    }
    lsan_options.remove_prefix(std::min(end, lsan_options.size()));
  }
  return value;
}

}  // namespace heapledger::collector::gate
