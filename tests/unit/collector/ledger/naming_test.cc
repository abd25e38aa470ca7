// SPDX-License-Identifier: Apache-2.0
#include "collector/ledger/naming.h"

#include <gtest/gtest.h>

#include "tests/unit/collector/ledger/fake_names.h"

namespace heapledger::collector {
namespace {

ResolvedFrame Function(std::string function, std::string module = "prog") {
  ResolvedFrame frame;
  frame.function = std::move(function);
  frame.module = std::move(module);
  return frame;
}

TEST(IsAllocatorPlumbingTest, KnowsWhatHandsMemoryOn) {
  for (const char* name :
       {"malloc", "_PyObject_Calloc", "__libc_malloc",
        "operator new(unsigned long)",
        "operator new[](unsigned long, std::align_val_t)", "strdup",
        "std::allocator<int>::allocate(unsigned long)",
        "__gnu_cxx::new_allocator<Foo>::allocate(unsigned long, void const*)",
        "void std::vector<int, std::allocator<int> >::_M_realloc_insert<int>"
        "(__gnu_cxx::__normal_iterator<int*, std::vector<int> >, int&&)",
        "std::string std::operator+<char>(char const*)", "calloc@@GLIBC_2.2.5",
        "heapledger::preload::Recorder::Record(void*)"}) {
    EXPECT_TRUE(IsAllocatorPlumbing(Function(name))) << name;
  }
  EXPECT_TRUE(IsAllocatorPlumbing(Function("", "libjemalloc.so.2")));
}

TEST(IsAllocatorPlumbingTest, LeavesTheProgramsOwnFunctionsAlone) {
  for (const char* name :
       {"main", "mallocate(int)", "my::strdup_all()", "stdlib::f()",
        "Foo::operator()(std::vector<int>&)", "operator_new", "",
        "void Take<std::string>(std::string)"}) {
    EXPECT_FALSE(IsAllocatorPlumbing(Function(name))) << name;
  }
}

TEST(NameCallsiteTest, TakesTheInnermostFunctionThatIsNoPlumbing) {
  testing::SnapshotMaker maker;
  const auto callsite = maker.AddCallsite({1, 2, 3});
  testing::FakeNames names;
  names.by_pc[1] = {Function("malloc", "libheapledger.so")};
  ResolvedFrame inlined = Function("Cache::Insert(int)");
  inlined.file = "cache.cc";
  inlined.line = 31;
  inlined.inlined = true;
  names.by_pc[2] = {Function("std::allocator<int>::allocate(unsigned long)"),
                    inlined, Function("Serve()")};
  const auto snapshot = maker.At(1);
  const CallsiteName name =
      NameCallsite(*snapshot, maker.callsite(callsite), names);
  EXPECT_EQ(name.function, "Cache::Insert(int)");
  EXPECT_EQ(name.module, "prog");
  EXPECT_EQ(name.Location(), "cache.cc:31");
}

TEST(NameCallsiteTest, FallsBackToTheOutermostWhenAllIsPlumbing) {
  testing::SnapshotMaker maker;
  const auto callsite = maker.AddCallsite({1, 2});
  testing::FakeNames names;
  names.by_pc[1] = {Function("malloc")};
  names.by_pc[2] = {Function("strdup")};
  EXPECT_EQ(
      NameCallsite(*maker.At(1), maker.callsite(callsite), names).function,
      "strdup");
}

ResolvedFrame PythonFunction(std::string name) {
  ResolvedFrame frame = Function(std::move(name));
  frame.module = "app.py";
  frame.file = "/srv/app.py";
  frame.line = 12;
  frame.python = true;
  return frame;
}

ResolvedFrame FunctionIn(std::string name, std::string module) {
  ResolvedFrame frame = Function(std::move(name));
  frame.module = std::move(module);
  return frame;
}

// A stack of three: a native frame, a Python frame, the interpreter's main.
std::string NameOver(const ResolvedFrame& innermost) {
  testing::SnapshotMaker maker;
  const auto callsite = maker.AddCallsite({1, 2, 3});
  maker.MakePython(2);
  testing::FakeNames names;
  names.by_pc[1] = {innermost};
  names.by_pc[2] = {PythonFunction("Cache.put")};
  names.by_pc[3] = {FunctionIn("pymain_run", "python3.11")};
  const CallsiteName name =
      NameCallsite(*maker.At(1), maker.callsite(callsite), names);
  return name.function + " " + name.Location();
}

TEST(NameCallsiteTest, PassesOverTheInterpreterBelowPythonCode) {
  for (const char* const module :
       {"python3.11", "libpython3.12.so.1.0", "libffi.so.8",
        "_ctypes.cpython-311-x86_64-linux-gnu.so"}) {
    EXPECT_EQ(NameOver(FunctionIn("list_resize", module)),
              "Cache.put /srv/app.py:12");
  }
}

TEST(NameCallsiteTest, NamesNativeCodeThatPythonCalled) {
  EXPECT_EQ(NameOver(FunctionIn("inflateInit", "libz.so.1")),
            "inflateInit libz.so.1");
}

TEST(NameCallsiteTest, NamesTheInterpreterWhereNoPythonCodeRuns) {
  testing::SnapshotMaker maker;
  const auto callsite = maker.AddCallsite({1, 2});
  testing::FakeNames names;
  names.by_pc[1] = {FunctionIn("PyObject_Malloc", "python3.11")};
  names.by_pc[2] = {FunctionIn("type_ready", "python3.11")};
  EXPECT_EQ(
      NameCallsite(*maker.At(1), maker.callsite(callsite), names).function,
      "type_ready");
}

TEST(NameCallsiteTest, TakesNoPythonFunctionForPlumbing) {
  EXPECT_FALSE(IsAllocatorPlumbing(PythonFunction("malloc")));
  EXPECT_FALSE(IsInterpreterPlumbing(PythonFunction("f")));
}

TEST(NameCallsiteTest, NamesWhatHasNoSymbolOrNoStack) {
  testing::SnapshotMaker maker;
  const auto nameless = maker.AddCallsite({1});
  const auto empty = maker.AddCallsite({});
  const auto overflow = maker.AddCallsite({});
  maker.callsite(overflow).overflow = true;
  testing::FakeNames names;
  ResolvedFrame frame = Function("");
  frame.rel_pc = 0x1f;
  names.by_pc[1] = {frame};
  const auto snapshot = maker.At(1);
  const auto named = [&](std::uint32_t callsite) {
    return NameCallsite(*snapshot, maker.callsite(callsite), names).function;
  };
  EXPECT_EQ(named(nameless), "prog+0x1f");
  EXPECT_EQ(named(empty), "[no stack]");
  EXPECT_EQ(named(overflow), "[overflow]");
}

}  // namespace
}  // namespace heapledger::collector
