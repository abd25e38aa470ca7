// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/symbol_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace heapledger::symbolizer {
namespace {

Symbol Function(std::string_view name, std::uint64_t value, std::uint64_t size,
                SymbolBinding binding = SymbolBinding::kGlobal) {
  Symbol symbol;
  symbol.name = name;
  symbol.value = value;
  symbol.size = size;
  symbol.section_end = 0x1000;
  symbol.binding = binding;
  return symbol;
}

Symbol Label(std::string_view name, std::uint64_t value) {
  Symbol symbol = Function(name, value, 0, SymbolBinding::kLocal);
  symbol.type = SymbolType::kUntyped;
  return symbol;
}

std::string Find(const SymbolTable& table, std::uint64_t address) {
  const Symbol* symbol = table.Find(address);
  return symbol == nullptr ? "" : std::string(symbol->name);
}

TEST(SymbolTableTest, FindsTheFunctionThatCoversAnAddress) {
  const SymbolTable table({Function("f", 0x100, 0x10)});
  EXPECT_EQ(Find(table, 0xff), "");
  EXPECT_EQ(Find(table, 0x100), "f");
  EXPECT_EQ(Find(table, 0x10f), "f");
  EXPECT_EQ(Find(table, 0x110), "");
}

TEST(SymbolTableTest, PrefersTheFunctionThatStartsLast) {
  const SymbolTable table(
      {Function("outer", 0x100, 0x100), Function("inner", 0x140, 0x10)});
  EXPECT_EQ(Find(table, 0x148), "inner");
  EXPECT_EQ(Find(table, 0x150), "outer");
}

TEST(SymbolTableTest, ExtendsASizelessSymbolToTheNextOne) {
  const SymbolTable table({Label("start", 0x100), Function("f", 0x140, 0x10),
                           Label("last", 0x180)});
  EXPECT_EQ(Find(table, 0x13f), "start");
  EXPECT_EQ(Find(table, 0x140), "f");
  EXPECT_EQ(Find(table, 0x150), "");
  EXPECT_EQ(Find(table, 0xfff), "last");
  EXPECT_EQ(Find(table, 0x1000), "");
}

TEST(SymbolTableTest, PrefersSizedFunctionsToLabelsInsideThem) {
  const SymbolTable table({Function("f", 0x100, 0x40), Label("loop", 0x110)});
  EXPECT_EQ(Find(table, 0x118), "f");
}

TEST(SymbolTableTest, ChoosesAmongAliasesWhateverTheirOrder) {
  std::vector<Symbol> symbols = {
      Function("malloc", 0x100, 0x40),
      Function("__libc_malloc", 0x100, 0x40),
      Function("__malloc", 0x100, 0x40),
      Function("_zmalloc", 0x100, 0x40, SymbolBinding::kWeak),
      Function("aaa", 0x100, 0x40, SymbolBinding::kLocal),
  };
  std::sort(symbols.begin(), symbols.end(),
            [](const Symbol& a, const Symbol& b) { return a.name < b.name; });
  do {
    ASSERT_EQ(Find(SymbolTable(symbols), 0x110), "malloc");
  } while (std::next_permutation(
      symbols.begin(), symbols.end(),
      [](const Symbol& a, const Symbol& b) { return a.name < b.name; }));
}

TEST(SymbolTableTest, StopsAtTheEndOfMemory) {
  const std::uint64_t max = std::numeric_limits<std::uint64_t>::max();
  const SymbolTable table({Function("wraps", max - 4, 100)});
  EXPECT_EQ(Find(table, max - 1), "wraps");
  EXPECT_EQ(Find(table, 3), "");
}

TEST(SymbolTableTest, FindsNothingWhenEmpty) {
  EXPECT_TRUE(SymbolTable().empty());
  EXPECT_EQ(SymbolTable().Find(0), nullptr);
}

}  // namespace
}  // namespace heapledger::symbolizer
