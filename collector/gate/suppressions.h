// SPDX-License-Identifier: Apache-2.0
// LeakSanitizer's suppression files, unchanged:
//
//   # reason=cached by the driver expires=2027-06-30 max=64KiB
//   leak:libdriver.so
//   leak:^init_tables$
//
// A pattern (see lsan_pattern.h) is matched with the function, the file and the
// module of every frame. What LeakSanitizer skips as a comment may carry more:
// a comment that begins with `reason=`, `expires=` or `max=` speaks about the
// next rule below it. `reason` runs to the next of these words; a rule holds to
// the end of the day that it expires; one that would cover more than `max`
// bytes covers nothing.
//
// Thread safety: as a value.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "collector/gate/finding.h"

namespace heapledger::collector::gate {

using Day = std::chrono::year_month_day;

struct SuppressionRule {
  std::string pattern;
  std::string source;  // file, or what else it is from
  int line = 0;
  std::string reason;
  std::optional<Day> expires;
  std::optional<std::uint64_t> max_bytes;

  // "file:3: leak:pattern"
  [[nodiscard]] std::string ToString() const;
};

class Suppressions {
 public:
  // Adds the rules of `text`, all or none. The message names `source`, the line
  // and what is wrong with it.
  absl::Status Add(std::string_view text, const std::string& source);

  [[nodiscard]] const std::vector<SuppressionRule>& rules() const {
    return rules_;
  }

  // The first rule that fits and has not expired; `expired` gets those that fit
  // and have.
  [[nodiscard]] std::optional<std::size_t> Match(
      const Finding& finding, Day today,
      std::vector<std::size_t>* expired) const;

 private:
  std::vector<SuppressionRule> rules_;
};

[[nodiscard]] bool Fits(const SuppressionRule& rule, const Finding& finding);

// "2027-06-30"
[[nodiscard]] std::optional<Day> ParseDay(std::string_view text);
[[nodiscard]] std::string DayText(Day day);

// The value of `suppressions` in the text of LSAN_OPTIONS; empty if there is
// none.
[[nodiscard]] std::string SuppressionsOption(std::string_view lsan_options);

}  // namespace heapledger::collector::gate
