// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/quality_list.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"

namespace heapledger::collector {
namespace {

constexpr std::size_t kMaxItems = 64;
constexpr int kFullWeight = 1000;

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  return text;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  absl::AsciiStrToLower(&lower);
  return lower;
}

// What stands before the next `end` that is in no quotes; removes both.
std::string_view TakeUntil(char end, std::string_view* text) {
  bool quoted = false;
  std::size_t i = 0;
  for (; i < text->size(); ++i) {
    const char c = (*text)[i];
    if (quoted && c == '\\') {
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == end && !quoted) {
      break;
    }
  }
  i = std::min(i, text->size());
  const std::string_view taken = text->substr(0, i);
  text->remove_prefix(std::min(i + 1, text->size()));
  return taken;
}

std::string_view Unquote(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return text;
  return text.substr(1, text.size() - 2);
}

// `0`, `1`, `0.` and up to three digits; 0 for anything else.
int ParseWeight(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) {
    return 0;
  }
  int weight = (text[0] - '0') * kFullWeight;
  if (text.size() == 1) return weight;
  if (text[1] != '.') return 0;
  int unit = kFullWeight / 10;
  for (const char c : text.substr(2)) {
    if (c < '0' || c > '9') return 0;
    weight += (c - '0') * unit;
    unit /= 10;
  }
  return weight <= kFullWeight ? weight : 0;
}

}  // namespace

std::vector<QualityItem> ParseQualityList(std::string_view header) {
  std::vector<QualityItem> items;
  while (!header.empty() && items.size() < kMaxItems) {
    std::string_view text = TakeUntil(',', &header);
    QualityItem item;
    item.value = Lower(Trim(TakeUntil(';', &text)));
    if (item.value.empty()) continue;
    while (!text.empty()) {
      std::string_view parameter = TakeUntil(';', &text);
      const std::string name = Lower(Trim(TakeUntil('=', &parameter)));
      const std::string value = Lower(Unquote(Trim(parameter)));
      if (name == "q") {
        item.weight = ParseWeight(value);
      } else if (!name.empty()) {
        item.parameters.emplace_back(name, value);
      }
    }
    items.push_back(std::move(item));
  }
  return items;
}

}  // namespace heapledger::collector
