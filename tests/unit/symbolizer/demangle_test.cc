// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/demangle.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

namespace heapledger::symbolizer {
namespace {

TEST(DemangleTest, DecodesCxxNames) {
  EXPECT_EQ(Demangle("_Z3fooi"), "foo(int)");
  EXPECT_EQ(Demangle("_ZNSt6vectorIiSaIiEE9push_backEOi"),
            "std::vector<int, std::allocator<int> >::push_back(int&&)");
  EXPECT_EQ(Demangle("_ZN12_GLOBAL__N_14LeakEv"),
            "(anonymous namespace)::Leak()");
}

TEST(DemangleTest, TakesPartsAndCopiesOfAFunctionForTheFunction) {
  EXPECT_EQ(Demangle("_Z3foov.cold"), "foo()");
  EXPECT_EQ(Demangle("_Z3foov.part.0.constprop.12.cold"), "foo()");
  EXPECT_EQ(Demangle("_Z3foov.llvm.1234567890"), "foo()");
  EXPECT_EQ(Demangle("qsort_r.isra.0"), "qsort_r");
}

TEST(DemangleTest, KeepsDotsThatBelongToTheName) {
  EXPECT_EQ(Demangle("runtime.mallocgc"), "runtime.mallocgc");
  EXPECT_EQ(Demangle("main.f.1"), "main.f.1");
  EXPECT_EQ(Demangle("main.apart"), "main.apart");
  EXPECT_EQ(Demangle(".cold"), ".cold");
  EXPECT_EQ(Demangle("12"), "12");
}

TEST(DemangleTest, LeavesCNamesAlone) {
  EXPECT_EQ(Demangle("malloc"), "malloc");
  EXPECT_EQ(Demangle("f"), "f");  // not the type "float"
  EXPECT_EQ(Demangle(""), "");
}

TEST(DemangleTest, LeavesGarbageAlone) {
  EXPECT_EQ(Demangle("_Z"), "_Z");
  EXPECT_EQ(Demangle("_ZN3fooE999999999999"), "_ZN3fooE999999999999");
  EXPECT_EQ(Demangle("_Z99999999999999999999a"), "_Z99999999999999999999a");
}

TEST(DemangleTest, LeavesAbsurdlyLongNamesAlone) {
  const std::string name = "_Z40000" + std::string(40000, 'a') + "v";
  EXPECT_EQ(Demangle(name), name);
}

TEST(DemangleTest, SurvivesDeeplyNestedNames) {
  const std::string name = "_Z1f" + std::string(16000, 'P') + "i";
  EXPECT_FALSE(Demangle(name).empty());
}

TEST(DemangleTest, StripsTheHashOfLegacyRust) {
  EXPECT_EQ(Demangle("_ZN4core3fmt9Formatter3pad17h0123456789abcdefE"),
            "core::fmt::Formatter::pad");
}

// How rustc mangles a path, with a hash of its own.
std::string RustLegacy(std::initializer_list<std::string> components) {
  std::string name = "_ZN";
  for (const std::string& component : components) {
    name += std::to_string(component.size()) + component;
  }
  return name + "17h0123456789abcdefE";
}

TEST(DemangleTest, DecodesTheEscapesOfLegacyRust) {
  EXPECT_EQ(Demangle(RustLegacy({"_$LT$Test$u20$$u2b$$u20$$u27$static$u20$as"
                                 "$u20$foo..Bar$LT$Test$GT$$GT$",
                                 "bar"})),
            "<Test + 'static as foo::Bar<Test>>::bar");
  EXPECT_EQ(Demangle(RustLegacy({"_$RF$$BP$T$C$$LP$$RP$$u3b$x", "abc"})),
            "&*T,();x::abc");
  EXPECT_EQ(Demangle(RustLegacy({"_$u7b$$u7b$closure$u7d$$u7d$"})),
            "{{closure}}");
  EXPECT_EQ(Demangle(RustLegacy({"gr$u1f600$n"})), "gr\xf0\x9f\x98\x80n");
}

TEST(DemangleTest, LeavesRustEscapesThatMeanNothing) {
  EXPECT_EQ(Demangle(RustLegacy({"a$XX$$u0$$ud800$$u110000$$"})),
            "a$XX$$u0$$ud800$$u110000$$");
}

TEST(DemangleTest, LeavesRustV0Raw) {
  EXPECT_EQ(Demangle("_RNvC6_123foo3bar"), "_RNvC6_123foo3bar");
}

TEST(DemangleTest, StripsSymbolVersions) {
  EXPECT_EQ(StripSymbolVersion("memcpy@@GLIBC_2.14"), "memcpy");
  EXPECT_EQ(StripSymbolVersion("memcpy@GLIBC_2.2.5"), "memcpy");
  EXPECT_EQ(StripSymbolVersion("memcpy"), "memcpy");
  EXPECT_EQ(StripSymbolVersion("@odd"), "@odd");
}

}  // namespace
}  // namespace heapledger::symbolizer
