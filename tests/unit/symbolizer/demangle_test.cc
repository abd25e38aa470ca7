// SPDX-License-Identifier: Apache-2.0
#include "symbolizer/demangle.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>

namespace heapledger::symbolizer {
namespace {

constexpr std::string_view kDigits62 =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

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
}

TEST(DemangleTest, LeavesRustEscapesThatMeanNothing) {
  EXPECT_EQ(Demangle(RustLegacy({"a$XX$$u0$$ud800$$u110000$$"})),
            "a$XX$$u0$$ud800$$u110000$$");
}

TEST(DemangleTest, DecodesRustV0) {
  EXPECT_EQ(Demangle("_RNvC6_123foo3bar"), "123foo::bar");
  EXPECT_EQ(Demangle("_RNCNvCsgStHSCytQ6I_7mycrate4main0B3_"),
            "mycrate::main::{closure#0}");
  EXPECT_EQ(Demangle("_RNv"), "_RNv");
}

TEST(DemangleTest, DecodesD) {
  EXPECT_EQ(Demangle("_Dmain"), "D main");
  EXPECT_EQ(Demangle("_D3std5stdio7writelnFAyaZv"),
            "std.stdio.writeln(immutable(char)[])");
  EXPECT_EQ(Demangle("_Dnothing"), "_Dnothing");
}

TEST(DemangleTest, DecodesNamesOfMoreThanAThousandCharacters) {
  std::string name = "_Z1f";
  std::string parameters;
  for (int i = 0; i < 300; ++i) {
    name += "5Class";
    parameters += "Class, ";
    name += "i";
    parameters += "int, ";
  }
  parameters.resize(parameters.size() - 2);
  // Only the first is spelled out by a compiler; a demangler takes them all.
  EXPECT_EQ(Demangle(name), "f(" + parameters + ")");
}

// Each level of back references doubles the text.
TEST(DemangleTest, GivesUpOnNamesThatStandForGigabytes) {
  constexpr std::string_view kDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  std::string cxx = "_Z1fSt4pairIiiE";  // S_ is the template, S0_ the class
  for (const char digit : kDigits) {
    const std::string last = {'S', digit, '_'};
    cxx += "S_I" + last + last + "E";
  }
  EXPECT_LT(cxx.size(), 400u);
  EXPECT_EQ(Demangle(cxx), cxx);

  // A tuple whose two halves are the one before it, and so on; a reference
  // says in base 62 at which character its target stands.
  std::string rust = "_RINvC1a1fTllE";
  std::size_t target = 8;  // behind "_R"
  for (int i = 0; i < 40; ++i) {
    const std::size_t here = rust.size() - 2;
    std::string reference = "B";
    if (target - 1 >= 62) reference += kDigits62[(target - 1) / 62];
    reference += kDigits62[(target - 1) % 62];
    reference += "_";
    rust += "T" + reference + reference + "E";
    target = here;
  }
  rust += "E";
  EXPECT_EQ(Demangle(rust), rust);
}

TEST(DemangleTest, StripsSymbolVersions) {
  EXPECT_EQ(StripSymbolVersion("memcpy@@GLIBC_2.14"), "memcpy");
  EXPECT_EQ(StripSymbolVersion("memcpy@GLIBC_2.2.5"), "memcpy");
  EXPECT_EQ(StripSymbolVersion("memcpy"), "memcpy");
  EXPECT_EQ(StripSymbolVersion("@odd"), "@odd");
}

}  // namespace
}  // namespace heapledger::symbolizer
