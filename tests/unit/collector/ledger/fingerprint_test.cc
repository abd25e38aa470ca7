// SPDX-License-Identifier: Apache-2.0
#include "collector/ledger/fingerprint.h"

#include <gtest/gtest.h>

namespace heapledger::collector {
namespace {

ResolvedFrame Function(std::string linkage_name, std::string module = "prog") {
  ResolvedFrame frame;
  frame.linkage_name = std::move(linkage_name);
  frame.module = std::move(module);
  return frame;
}

Fingerprint Of(const std::vector<ResolvedFrame>& frames,
               StackEnd end = StackEnd::kOutermost) {
  std::vector<FrameHash> hashes;
  for (const ResolvedFrame& frame : frames) hashes.push_back(HashFrame(frame));
  return FingerprintOf(hashes, end);
}

TEST(FingerprintTest, IsSixteenHexDigitsThatStayTheSameForGood) {
  EXPECT_EQ(Fingerprint(0xab).ToString(), "00000000000000ab");
  // Users keep fingerprints in files: this value must never change.
  EXPECT_EQ(Of({Function("malloc", "libheapledger.so"), Function("_Z4Leakv"),
                Function("main")})
                .ToString(),
            "98aeed82639185a1");
}

TEST(FingerprintTest, IgnoresLinesFilesAndAddressesOfNamedFunctions) {
  ResolvedFrame a = Function("_Z1fv");
  ResolvedFrame b = a;
  b.file = "f.cc";
  b.line = 12;
  b.rel_pc = 0x1234;
  b.build_id = "other";
  EXPECT_EQ(Of({a}), Of({b}));
}

TEST(FingerprintTest, DependsOnFunctionModuleAndOrder) {
  const auto f = Function("f");
  const auto g = Function("g");
  EXPECT_NE(Of({f, g}), Of({g, f}));
  EXPECT_NE(Of({f}), Of({f, f}));
  EXPECT_NE(Of({f}), Of({g}));
  EXPECT_NE(Of({f}), Of({Function("f", "other")}));
  EXPECT_NE(Of({Function("ab", "c")}), Of({Function("b", "ca")}));
}

TEST(FingerprintTest, TakesTheModuleWithoutItsDirectory) {
  EXPECT_EQ(Of({Function("f", "/opt/a/prog")}), Of({Function("f", "prog")}));
}

TEST(FingerprintTest, TakesClonesAndVersionsForTheFunctionItself) {
  const auto f = Of({Function("f")});
  for (const char* clone : {"f.constprop.0", "f.part.3", "f.isra.0.cold",
                            "f.cold", "f@@VERS_1", "f.lto_priv.7"}) {
    EXPECT_EQ(Of({Function(clone)}), f) << clone;
  }
}

TEST(FingerprintTest, LeavesOutWhatLiesOutsideMain) {
  const auto f = Function("f");
  const auto main = Function("main");
  EXPECT_EQ(Of({f, main}),
            Of({f, main, Function("__libc_start_call_main", "libc.so.6"),
                Function("_start")}));
  EXPECT_NE(Of({f, main}), Of({f}));
}

TEST(FingerprintTest, LeavesOutTheStartOfAThread) {
  const auto f = Function("f");
  EXPECT_EQ(Of({f, Function("start_thread", "libc.so.6"),
                Function("clone3", "libc.so.6")}),
            Of({f, Function("", "libc.so.6")}));
  // Inside a stack the C library counts: qsort's caller is not f's.
  EXPECT_NE(Of({f, Function("qsort", "libc.so.6"), f}), Of({f, f}));
}

TEST(FingerprintTest, TellsACutStackFromOneThatEndsThere) {
  const auto f = Function("f");
  const auto g = Function("g");
  const auto start = Function("start_thread", "libc.so.6");
  EXPECT_NE(Of({f, g}, StackEnd::kCut), Of({f, g}));
  EXPECT_NE(Of({f, g}, StackEnd::kCut), Of({f, g, start}));
  EXPECT_EQ(Of({f, g}, StackEnd::kCut), Of({f, g}, StackEnd::kCut));
  // The outer frame of a cut stack is no start of a thread.
  EXPECT_NE(Of({f, Function("qsort", "libc.so.6")}, StackEnd::kCut),
            Of({f, Function("bsearch", "libc.so.6")}, StackEnd::kCut));
  // Nothing is missing from one that reaches main.
  const auto main = Function("main");
  EXPECT_EQ(Of({f, main}, StackEnd::kCut), Of({f, main}));
}

TEST(FingerprintTest, TakesBuildIdAndOffsetWhereThereIsNoName) {
  ResolvedFrame a = Function("");
  a.build_id = std::string("1");
  a.rel_pc = 16;
  ResolvedFrame b = a;
  EXPECT_EQ(Of({a}), Of({b}));
  b.rel_pc = 17;
  EXPECT_NE(Of({a}), Of({b}));
  b = a;
  b.build_id = "2";
  EXPECT_NE(Of({a}), Of({b}));
}

ResolvedFrame PythonFunction(const char* name, const char* module,
                             std::uint32_t line) {
  ResolvedFrame frame = Function("", module);
  frame.function = name;
  frame.line = line;
  frame.python = true;
  return frame;
}

TEST(FingerprintTest, OfPythonCodeIsItsNameAndFileWithoutTheLine) {
  const auto put = PythonFunction("Cache.put", "cache.py", 12);
  EXPECT_EQ(Of({put}), Of({PythonFunction("Cache.put", "cache.py", 99)}));
  EXPECT_NE(Of({put}), Of({PythonFunction("Cache.get", "cache.py", 12)}));
  EXPECT_NE(Of({put}), Of({PythonFunction("Cache.put", "other.py", 12)}));
}

TEST(FingerprintTest, GoesOnOutsideOfAPythonFunctionThatIsCalledMain) {
  const auto main = PythonFunction("main", "app.py", 3);
  EXPECT_NE(Of({main, PythonFunction("<module>", "app.py", 9)}),
            Of({main, PythonFunction("<module>", "run.py", 9)}));
}

}  // namespace
}  // namespace heapledger::collector
