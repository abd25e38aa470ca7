// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/perf_map.h"

#include <charconv>
#include <limits>
#include <optional>
#include <utility>

namespace heapledger::symbolizer {
namespace {

// Takes a hexadecimal number and the blanks behind it off the front.
std::optional<std::uint64_t> TakeHex(std::string_view& line) {
  if (line.starts_with("0x")) line.remove_prefix(2);
  std::uint64_t value = 0;
  const auto [end, error] =
      std::from_chars(line.data(), line.data() + line.size(), value, 16);
  if (error != std::errc()) return std::nullopt;
  line.remove_prefix(static_cast<std::size_t>(end - line.data()));
  const std::size_t blanks = line.find_first_not_of(" \t");
  if (blanks == 0 || blanks == std::string_view::npos) return std::nullopt;
  line.remove_prefix(blanks);
  return value;
}

}  // namespace

std::string PerfMap::PathForPid(std::int64_t pid) {
  return "/tmp/perf-" + std::to_string(pid) + ".map";
}

absl::StatusOr<PerfMap> PerfMap::Read(const RegularFile& file) {
  absl::StatusOr<std::string> text = file.Read(kMaxBytes);
  if (!text.ok()) return text.status();
  return Parse(*text);
}

PerfMap PerfMap::Parse(std::string_view text) {
  PerfMap map;
  std::vector<RangeIndex<std::uint32_t>::Range> ranges;
  while (!text.empty()) {
    const std::size_t newline = text.find('\n');
    std::string_view line = text.substr(0, newline);
    text.remove_prefix(newline == std::string_view::npos ? text.size()
                                                         : newline + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    // The JIT is in the middle of writing a line without an end.
    if (newline == std::string_view::npos) line = {};
    const auto start = TakeHex(line);
    const auto size = start ? TakeHex(line) : std::nullopt;
    if (!size || *size == 0 ||
        *size > std::numeric_limits<std::uint64_t>::max() - *start ||
        map.names_.size() == std::numeric_limits<std::uint32_t>::max()) {
      ++map.skipped_lines_;
      continue;
    }
    ranges.push_back({*start, *start + *size,
                      static_cast<std::uint32_t>(map.names_.size())});
    map.names_.push_back({map.text_.size(), line.size()});
    map.text_.append(line);
  }
  map.index_ = RangeIndex<std::uint32_t>::Build(
      std::move(ranges),
      [](const auto& a, const auto& b) { return a.value > b.value; });
  return map;
}

std::string_view PerfMap::Find(std::uint64_t address) const {
  const std::uint32_t* i = index_.Find(address);
  if (i == nullptr) return {};
  return std::string_view(text_).substr(names_[*i].offset, names_[*i].size);
}

}  // namespace heapledger::symbolizer
