// SPDX-License-Identifier: Apache-2.0
#include "preload/runtime/elf_symbols.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <link.h>

#include "tests/support/no_alloc_guard.h"

namespace heapledger::preload {
namespace {

const link_map* MapOf(void* handle) {
  return static_cast<const link_map*>(handle);
}

TEST(ElfSymbolsTest, AgreeWithTheLoader) {
  void* const libm = dlopen("libm.so.6", RTLD_NOW);
  ASSERT_NE(libm, nullptr);
  const ElfSymbols symbols(MapOf(libm)->l_ld, MapOf(libm)->l_addr);
  const testing::NoAllocGuard guard;
  // Plain functions: others may be chosen at load time.
  for (const char* const name : {"frexp", "ldexp", "modf"}) {
    const auto found = symbols.Find(name);
    EXPECT_NE(found.address, 0U) << name;
    EXPECT_GT(found.bytes, 0U) << name;
  }
}

TEST(ElfSymbolsTest, GiveTheAddressThatTheLoaderGives) {
  void* const libm = dlopen("libm.so.6", RTLD_NOW);
  ASSERT_NE(libm, nullptr);
  const ElfSymbols symbols(MapOf(libm)->l_ld, MapOf(libm)->l_addr);
  EXPECT_EQ(symbols.Find("lgamma_r").address,
            reinterpret_cast<std::uint64_t>(dlsym(libm, "lgamma_r")));
  EXPECT_EQ(symbols.Find("signgam").address,
            reinterpret_cast<std::uint64_t>(dlsym(libm, "signgam")));
}

TEST(ElfSymbolsTest, DoNotFindWhatIsNotExported) {
  void* const libm = dlopen("libm.so.6", RTLD_NOW);
  ASSERT_NE(libm, nullptr);
  const ElfSymbols symbols(MapOf(libm)->l_ld, MapOf(libm)->l_addr);
  EXPECT_EQ(symbols.Find("no_such_function_in_libm").address, 0U);
  EXPECT_EQ(symbols.Find("").address, 0U);
  // It needs this one of libc, and exports it not.
  EXPECT_EQ(symbols.Find("__errno_location").address, 0U);
}

TEST(ElfSymbolsTest, FindNothingWithoutATable) {
  const Elf64_Dyn none[] = {{DT_NULL, {0}}};
  EXPECT_EQ(ElfSymbols(none, 0).Find("malloc").address, 0U);
}

}  // namespace
}  // namespace heapledger::preload
