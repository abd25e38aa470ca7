// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/symbol_table.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace heapledger::symbolizer {
namespace {

std::size_t LeadingUnderscores(std::string_view name) {
  const std::size_t n = name.find_first_not_of('_');
  return n == std::string_view::npos ? name.size() : n;
}

// Whether `a` is the better name for an address that both cover.
bool IsBetter(const Symbol& a, const Symbol& b) {
  const bool a_sized = a.size != 0;
  const bool b_sized = b.size != 0;
  if (a_sized != b_sized) return a_sized;
  if (a.value != b.value) return a.value > b.value;
  if (a.type != b.type) return a.type < b.type;
  if (a.binding != b.binding) return a.binding < b.binding;
  const std::size_t a_underscores = LeadingUnderscores(a.name);
  const std::size_t b_underscores = LeadingUnderscores(b.name);
  if (a_underscores != b_underscores) return a_underscores < b_underscores;
  if (a.name.size() != b.name.size()) return a.name.size() < b.name.size();
  return a.name < b.name;
}

// REQUIRES: `starts` is sorted.
std::uint64_t EndOf(const Symbol& symbol,
                    const std::vector<std::uint64_t>& starts) {
  if (symbol.size != 0) {
    const std::uint64_t room =
        std::numeric_limits<std::uint64_t>::max() - symbol.value;
    return symbol.value + std::min(symbol.size, room);
  }
  auto next = std::upper_bound(starts.begin(), starts.end(), symbol.value);
  return next == starts.end() ? symbol.section_end
                              : std::min(*next, symbol.section_end);
}

}  // namespace

SymbolTable::SymbolTable(std::vector<Symbol> symbols)
    : symbols_(std::move(symbols)) {
  std::vector<std::uint64_t> starts;
  starts.reserve(symbols_.size());
  for (const Symbol& symbol : symbols_) starts.push_back(symbol.value);
  std::sort(starts.begin(), starts.end());

  std::vector<RangeIndex<std::uint32_t>::Range> ranges;
  ranges.reserve(symbols_.size());
  for (std::uint32_t i = 0; i < symbols_.size(); ++i) {
    ranges.push_back({symbols_[i].value, EndOf(symbols_[i], starts), i});
  }
  index_ = RangeIndex<std::uint32_t>::Build(
      std::move(ranges), [this](const auto& a, const auto& b) {
        return IsBetter(symbols_[a.value], symbols_[b.value]);
      });
}

const Symbol* SymbolTable::Find(std::uint64_t address) const {
  const std::uint32_t* i = index_.Find(address);
  return i == nullptr ? nullptr : &symbols_[*i];
}

}  // namespace heapledger::symbolizer
