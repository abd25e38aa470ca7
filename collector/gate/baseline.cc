// SPDX-License-Identifier: Apache-2.0
#include "collector/gate/baseline.h"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/profile/foreign_text.h"

namespace heapledger::collector::gate {
namespace {

constexpr std::string_view kFirstLine = "# heapledger gate baseline 1";
constexpr std::size_t kFields = 5;

template <int base>
std::optional<std::uint64_t> Number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return number;
}

std::vector<std::string_view> Fields(std::string_view line) {
  std::vector<std::string_view> fields;
  for (;;) {
    const std::size_t tab = line.find('\t');
    fields.push_back(line.substr(0, tab));
    if (tab == std::string_view::npos) return fields;
    line.remove_prefix(tab + 1);
  }
}

// What is wrong with the line; empty if nothing is.
std::string AddLine(std::string_view line, Baseline& baseline) {
  const std::vector<std::string_view> fields = Fields(line);
  if (fields.size() != kFields) {
    return absl::StrCat("it has ", fields.size(), " fields between tabs, not ",
                        kFields);
  }
  const auto callsite = Number<16>(fields[0]);
  const auto bytes = Number<10>(fields[1]);
  const auto objects = Number<10>(fields[2]);
  if (fields[0].size() != 16 || !callsite) {
    return "its first field is no callsite of 16 hex digits";
  }
  if (!bytes || !objects) return "its bytes or objects are no numbers";
  const bool added =
      baseline
          .emplace(Fingerprint(*callsite), KnownLeak{{*bytes, *objects},
                                                     OneLine(fields[3]),
                                                     OneLine(fields[4])})
          .second;
  return added ? "" : "its callsite stands in the file twice";
}

}  // namespace

absl::StatusOr<Baseline> ParseBaseline(std::string_view text,
                                       const std::string& source) {
  Baseline baseline;
  int number = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++number;
    if (number == 1) {
      if (line == kFirstLine) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          "baseline ", source, " does not begin with '",
          std::string(kFirstLine), "'; write it with --update-baseline"));
    }
    if (line.empty() || line.front() == '#') continue;
    const std::string wrong = AddLine(line, baseline);
    if (wrong.empty()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("baseline ", source, ":", number, ": ", wrong,
                     "; mend the line or write the file anew with "
                     "--update-baseline"));
  }
  if (number == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "baseline ", source, " is empty; write it with --update-baseline"));
  }
  return baseline;
}

std::string BaselineText(const Baseline& baseline) {
  std::string text =
      absl::StrCat(std::string(kFirstLine),
                   "\n# callsite, bytes, objects, function, place\n");
  for (const auto& [callsite, known] : baseline) {
    absl::StrAppend(&text, callsite.ToString(), "\t", known.amount.bytes, "\t",
                    known.amount.objects, "\t", OneLine(known.function), "\t",
                    OneLine(known.place), "\n");
  }
  return text;
}

}  // namespace heapledger::collector::gate
