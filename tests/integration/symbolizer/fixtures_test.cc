// SPDX-License-Identifier: Apache-2.0
// Programs whose every marker has a known function, line and inlined chain,
// in every form in which a module may be found.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "symbolizer/debug_paths.h"
#include "symbolizer/symbolizer.h"
#include "test_support.h"

namespace heapledger::symbolizer {
namespace {

constexpr char kBuildId[] = "0123456789abcdef0123456789abcdef01234567";

struct ExpectedFrame {
  std::string function;
  std::string line_tag;
  bool inlined = false;
};

struct ExpectedMarker {
  std::string name;
  std::vector<ExpectedFrame> frames;
};

const std::vector<ExpectedMarker>& CxxMarkers() {
  static const std::vector<ExpectedMarker> markers = {
      {"template", {{"shapes::Box<long>::Put(long)", "template"}}},
      {"inlined",
       {{"shapes::Innermost()", "innermost", true},
        {"void shapes::Middle<int>(int)", "middle", true},
        {"shapes::Outer(int)", "outer"}}},
      {"static", {{"shapes::FileStatic(int)", "static"}}},
      {"anonymous",
       {{"shapes::(anonymous namespace)::Hidden::Run(int)", "anonymous"}}},
      // Inlined and without a linkage name: put together from its scopes.
      {"anonymous_inlined",
       {{"shapes::(anonymous namespace)::Hidden::InlineRun",
         "anonymous_inlined", true},
        {"shapes::CallsHidden(int)", "calls_hidden"}}},
      {"virtual", {{"shapes::Derived::Virtual(int)", "virtual"}}},
      {"main", {{"main", "main"}}},
  };
  return markers;
}

const std::vector<ExpectedMarker>& CMarkers() {
  static const std::vector<ExpectedMarker> markers = {
      {"c_inlined",
       {{"InlinedInC", "c_inlined", true}, {"ExportedFromC", "c_exported"}}},
      {"c_static", {{"StaticInC", "c_static"}}},
      {"c_main", {{"main", "c_main"}}},
  };
  return markers;
}

// "function(parameters)" -> "function": without .symtab nothing
// knows the parameters of what has no linkage name.
std::string WithoutParameters(const std::string& function) {
  const std::size_t from = function.find("(anonymous namespace)");
  const std::size_t search =
      from == std::string::npos ? 0 : from + std::string("(anonymous").size();
  const std::size_t end = function.find('(', search);
  return function.substr(0, end);
}

enum class Names { kComplete, kWithoutParameters };

void ExpectMarkers(Symbolizer& symbolizer, const FixtureRun& run,
                   const std::string& source,
                   const std::vector<ExpectedMarker>& markers, Names names) {
  for (const ExpectedMarker& marker : markers) {
    SCOPED_TRACE(run.module.path + ": " + marker.name);
    const auto pc = run.markers.find(marker.name);
    ASSERT_NE(pc, run.markers.end());
    const std::vector<Frame> frames =
        symbolizer.Resolve(run.module, Pc{pc->second});
    ASSERT_EQ(frames.size(), marker.frames.size());
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const Frame& frame = frames[i];
      const ExpectedFrame& expected = marker.frames[i];
      if (names == Names::kComplete) {
        EXPECT_EQ(frame.function, expected.function);
      } else {
        EXPECT_EQ(WithoutParameters(frame.function),
                  WithoutParameters(expected.function));
      }
      EXPECT_EQ(Basename(frame.file), source);
      EXPECT_EQ(frame.line, LineOf(source, expected.line_tag));
      EXPECT_EQ(frame.inlined, expected.inlined);
      EXPECT_EQ(frame.quality, Quality::kDebugInfo);
      EXPECT_EQ(frame.module, StripDeleted(run.module.path));
      EXPECT_EQ(frame.rel_pc, pc->second - run.module.load_bias);
    }
  }
}

class FixturesTest : public testing::TestWithParam<std::string> {};

TEST_P(FixturesTest, EveryMarkerHasItsFunctionLineAndInlinedChain) {
  const std::string name = GetParam();
  const FixtureRun run = RunFixture(name);
  Symbolizer symbolizer;
  if (name.starts_with("cxx")) {
    ExpectMarkers(symbolizer, run, "shapes.cc", CxxMarkers(), Names::kComplete);
  } else {
    ExpectMarkers(symbolizer, run, "plain.c", CMarkers(), Names::kComplete);
  }
  EXPECT_EQ(symbolizer.stats().resolved_share(), 1.0);
  ASSERT_EQ(symbolizer.stats().modules.size(), 1u);
  EXPECT_EQ(symbolizer.stats().modules[0].reason, Reason::kNone);
  EXPECT_EQ(symbolizer.stats().modules[0].debug_file, run.module.path);
}

INSTANTIATE_TEST_SUITE_P(Builds, FixturesTest,
                         testing::Values("cxx_pie_dwarf5", "cxx_pie_dwarf4",
                                         "cxx_nopie_dwarf5", "cxx_nopie_dwarf4",
                                         "cxx_compressed", "cxx_compressed_gnu",
                                         "cxx_zstd", "cxx_split_dwarf4",
                                         "cxx_split_dwarf5", "c_split_dwarf5",
                                         "c_pie_dwarf5", "c_nopie_dwarf4"),
                         [](const auto& build) { return build.param; });

// clang leaves linkage names out elsewhere than gcc, so some parameters too.
class ClangFixturesTest : public testing::TestWithParam<std::string> {};

TEST_P(ClangFixturesTest, EveryMarkerHasItsFunctionLineAndInlinedChain) {
  if (!std::filesystem::exists(FixturePath(GetParam()))) {
    GTEST_SKIP() << "needs clang";
  }
  const FixtureRun run = RunFixture(GetParam());
  Symbolizer symbolizer;
  ExpectMarkers(symbolizer, run, "shapes.cc", CxxMarkers(),
                Names::kWithoutParameters);
}

INSTANTIATE_TEST_SUITE_P(Builds, ClangFixturesTest,
                         testing::Values("clang_dwarf4", "clang_dwarf5",
                                         "clang_split_dwarf4",
                                         "clang_split_dwarf5"),
                         [](const auto& build) { return build.param; });

class PackageTest : public testing::TestWithParam<std::string> {};

TEST_P(PackageTest, FindsSplitUnitsInThePackageBesideTheProgram) {
  const std::string package = FixturePath(GetParam() + ".package");
  if (!std::filesystem::exists(package)) GTEST_SKIP() << "needs llvm-dwp";
  FixtureRun run = RunFixture(GetParam());
  // Below this root there are no .dwo files.
  const TempDirectory root;
  std::filesystem::create_directory(root.path() + "/app");
  std::filesystem::copy(run.module.path, root.path() + "/app/program");
  run.module.path = "/app/program";
  {
    Symbolizer symbolizer(Options{.root = root.path()});
    const auto frames =
        symbolizer.Resolve(run.module, Pc{run.markers.at("inlined")});
    // The line tables alone are the program's own.
    ASSERT_EQ(frames.size(), 1u);
    EXPECT_EQ(frames[0].line, LineOf("shapes.cc", "innermost"));
  }
  std::filesystem::copy(package, root.path() + "/app/program.dwp");
  Symbolizer symbolizer(Options{.root = root.path()});
  ExpectMarkers(symbolizer, run, "shapes.cc", CxxMarkers(),
                Names::kWithoutParameters);
}

INSTANTIATE_TEST_SUITE_P(Builds, PackageTest,
                         testing::Values("clang_split_dwarf4",
                                         "clang_split_dwarf5"),
                         [](const auto& build) { return build.param; });

TEST(SymbolizerTest, ReadsWhatDwzMovedIntoASharedFile) {
  if (!std::filesystem::exists(FixturePath("dwz_common"))) {
    GTEST_SKIP() << "needs dwz";
  }
  const FixtureRun run = RunFixture("dwz_program");
  Symbolizer symbolizer;
  ExpectMarkers(symbolizer, run, "shapes.cc", CxxMarkers(), Names::kComplete);
}

TEST(SymbolizerTest, NamesFunctionsByMiniDebugInfo) {
  const FixtureRun run = RunFixture("mini_debug_info");
  Symbolizer symbolizer;
  for (const auto& [marker, function] :
       {std::pair("inlined", "shapes::Outer(int)"),
        std::pair("static", "shapes::FileStatic(int)")}) {
    const auto frames =
        symbolizer.Resolve(run.module, Pc{run.markers.at(marker)});
    ASSERT_EQ(frames.size(), 1u);
    EXPECT_EQ(frames[0].function, function);
    EXPECT_EQ(frames[0].quality, Quality::kSymbolTable);
  }
}

TEST(SymbolizerTest, LooksReturnAddressesUpBeforeThemselves) {
  const FixtureRun run = RunFixture("cxx_pie_dwarf5", "die 2>/dev/null");
  // The call is the last instruction but one; the address behind the trap
  // belongs to the next function or to none.
  Symbolizer symbolizer;
  const auto frames =
      symbolizer.Resolve(run.module, Pc{run.markers.at("noreturn")});
  EXPECT_EQ(frames.back().function, "shapes::NeverReturns(int)");
  EXPECT_EQ(frames.front().line, LineOf("shapes.cc", "noreturn"));
}

TEST(SymbolizerTest, NamesLambdas) {
  const FixtureRun run = RunFixture("cxx_pie_dwarf5");
  Symbolizer symbolizer;
  auto frames = symbolizer.Resolve(run.module, Pc{run.markers.at("lambda")});
  EXPECT_EQ(frames.front().function,
            "shapes::RunLambda(int)::{lambda(int)#1}::operator()(int) const");
  EXPECT_EQ(frames.front().line, LineOf("shapes.cc", "lambda"));

  // Inlined, it has no symbol: named by what encloses it.
  frames = symbolizer.Resolve(run.module, Pc{run.markers.at("lambda_inlined")});
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames.front().function,
            "shapes::InlineLambda(int)::{lambda}::operator()");
  EXPECT_EQ(frames.front().line, LineOf("shapes.cc", "lambda_inlined"));
}

TEST(SymbolizerTest, FallsBackToTheSymbolTable) {
  const FixtureRun run = RunFixture("cxx_no_debug");
  Symbolizer symbolizer;
  const auto frames =
      symbolizer.Resolve(run.module, Pc{run.markers.at("inlined")});
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].function, "shapes::Outer(int)");
  EXPECT_EQ(frames[0].linkage_name, "_ZN6shapes5OuterEi");
  EXPECT_EQ(frames[0].quality, Quality::kSymbolTable);
  EXPECT_EQ(frames[0].line, 0u);
  EXPECT_EQ(symbolizer.stats().modules[0].reason, Reason::kNoDebugInfo);
}

TEST(SymbolizerTest, FindsTheDebugFileOfAStrippedProgramByBuildId) {
  FixtureRun run = RunFixture("stripped_build_id");
  run.module.build_id = kBuildId;
  Symbolizer symbolizer(Options{.debug_directories = {FixturePath("debug")}});
  ExpectMarkers(symbolizer, run, "shapes.cc", CxxMarkers(), Names::kComplete);
  EXPECT_TRUE(symbolizer.stats().modules[0].debug_file.ends_with(".debug"));
}

TEST(SymbolizerTest, FindsTheDebugFileOfAStrippedProgramByDebugLink) {
  const FixtureRun run = RunFixture("stripped_debuglink");
  Symbolizer symbolizer;
  ExpectMarkers(symbolizer, run, "shapes.cc", CxxMarkers(), Names::kComplete);
  EXPECT_EQ(symbolizer.stats().modules[0].debug_file,
            FixturePath(".debug/stripped_debuglink.debug"));
}

TEST(SymbolizerTest, RefusesADebugLinkWhoseCrcDiffers) {
  FixtureRun run = RunFixture("stripped_debuglink");
  const TempDirectory directory;
  run.module.path = directory.path() + "/stripped_debuglink";
  std::filesystem::copy(FixturePath("stripped_debuglink"), run.module.path);
  const std::string debug =
      ReadFile(FixturePath(".debug/stripped_debuglink"
                           ".debug"));
  WriteFile(directory.path() + "/.debug/stripped_debuglink.debug",
            debug + "one byte more");
  Symbolizer symbolizer;
  const auto frames =
      symbolizer.Resolve(run.module, Pc{run.markers.at("inlined")});
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].quality, Quality::kModuleOnly);
  EXPECT_TRUE(frames[0].function.starts_with("stripped_debuglink+0x"));
  EXPECT_EQ(symbolizer.stats().modules[0].reason, Reason::kNoSymbols);
}

TEST(SymbolizerTest, FindsFilesBelowARoot) {
  FixtureRun run = RunFixture("stripped_debuglink");
  const TempDirectory root;
  std::filesystem::create_directories(root.path() + "/app/.debug");
  std::filesystem::copy(run.module.path, root.path() + "/app/program");
  std::filesystem::copy(FixturePath(".debug/stripped_debuglink.debug"),
                        root.path() + "/app/.debug");
  run.module.path = "/app/program";
  Symbolizer symbolizer(Options{.root = root.path()});
  ExpectMarkers(symbolizer, run, "shapes.cc", CxxMarkers(), Names::kComplete);
}

TEST(SymbolizerTest, NeverUsesAFileWithAnotherBuildId) {
  FixtureRun run = RunFixture("with_build_id");
  run.module.build_id = "00112233445566778899aabbccddeeff00112233";
  Symbolizer symbolizer;
  const auto frames =
      symbolizer.Resolve(run.module, Pc{run.markers.at("main")});
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].quality, Quality::kModuleOnly);
  EXPECT_TRUE(frames[0].function.starts_with("with_build_id+0x"));
  EXPECT_EQ(symbolizer.stats().modules[0].reason, Reason::kBuildIdMismatch);
  EXPECT_EQ(ReasonText(Reason::kBuildIdMismatch), "build id mismatch");
}

TEST(SymbolizerTest, FindsTheOldDebugFileOfAProgramThatWasReplaced) {
  FixtureRun run = RunFixture("with_build_id");
  const TempDirectory directory;
  run.module.path = directory.path() + "/with_build_id";
  run.module.build_id = kBuildId;
  std::filesystem::copy(FixturePath("cxx_no_debug"), run.module.path);
  Symbolizer symbolizer(Options{.debug_directories = {FixturePath("debug")}});
  ExpectMarkers(symbolizer, run, "shapes.cc", CxxMarkers(), Names::kComplete);
}

TEST(SymbolizerTest, UsesTheFileInADeletedOnesPlaceIfItIsTheSame) {
  FixtureRun run = RunFixture("with_build_id");
  run.module.path += " (deleted)";
  run.module.build_id = kBuildId;
  Symbolizer symbolizer;
  ExpectMarkers(symbolizer, run, "shapes.cc", CxxMarkers(), Names::kComplete);

  run.module.build_id = "";
  const auto frames =
      symbolizer.Resolve(run.module, Pc{run.markers.at("main")});
  EXPECT_EQ(frames[0].quality, Quality::kModuleOnly);
  EXPECT_TRUE(frames[0].function.starts_with("with_build_id+0x"));
}

TEST(SymbolizerTest, StillNamesFunctionsWithoutSymbolTable) {
  FixtureRun run = RunFixture("with_build_id");
  const TempDirectory directory;
  run.module.path = directory.path() + "/no_symtab";
  const std::string command =
      std::string(OBJCOPY) + " --remove-section=.symtab " +
      FixturePath("with_build_id") + " " + run.module.path + " 2>&1";
  OutputOf(command);
  if (!std::filesystem::exists(run.module.path)) {
    // objcopy may refuse to part with it; --strip-all keeps no DWARF.
    OutputOf(std::string(OBJCOPY) + " -R .symtab -R .strtab " +
             FixturePath("with_build_id") + " " + run.module.path);
  }
  Symbolizer symbolizer;
  ExpectMarkers(symbolizer, run, "shapes.cc", CxxMarkers(),
                Names::kWithoutParameters);
}

TEST(SymbolizerTest, BatchesGiveWhatSingleLookupsGive) {
  const FixtureRun run = RunFixture("cxx_pie_dwarf5");
  std::vector<Pc> pcs;
  for (const auto& [name, address] : run.markers) {
    pcs.push_back({address, PcKind::kReturnAddress});
    pcs.push_back({address, PcKind::kExact});
    pcs.insert(pcs.begin(), {address, PcKind::kReturnAddress});
  }
  pcs.push_back({0, PcKind::kReturnAddress});
  Symbolizer symbolizer;
  const auto batch = symbolizer.ResolveAll(run.module, pcs);
  ASSERT_EQ(batch.size(), pcs.size());
  for (std::size_t i = 0; i < pcs.size(); ++i) {
    EXPECT_EQ(batch[i], symbolizer.Resolve(run.module, pcs[i])) << i;
  }
  EXPECT_EQ(symbolizer.stats().lookups, 2 * pcs.size());
  EXPECT_TRUE(symbolizer.ResolveAll(run.module, {}).empty());
}

TEST(SymbolizerTest, SaysTheOffsetWhereThereIsNoFile) {
  Symbolizer symbolizer;
  const ModuleRef gone{.path = "/nonexistent/libgone.so",
                       .build_id = "",
                       .load_bias = 0x7f0000000000};
  const auto frames = symbolizer.Resolve(gone, Pc{0x7f0000001234});
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].function, "libgone.so+0x1234");
  EXPECT_EQ(frames[0].module, "/nonexistent/libgone.so");
  EXPECT_EQ(frames[0].rel_pc, 0x1234u);
  EXPECT_EQ(frames[0].quality, Quality::kModuleOnly);
  EXPECT_EQ(symbolizer.stats().modules[0].reason, Reason::kFileNotFound);
  EXPECT_EQ(symbolizer.stats().resolved_share(), 0.0);
}

TEST(SymbolizerTest, CallsTheVdsoByItsName) {
  Symbolizer symbolizer;
  for (const char* path : {"linux-vdso.so.1", "[vdso]"}) {
    const ModuleRef vdso{.path = path, .load_bias = 0x7fff0000};
    const auto frames = symbolizer.Resolve(vdso, Pc{0x7fff0a00});
    EXPECT_EQ(frames[0].function, "[vdso]+0xa00");
    EXPECT_EQ(frames[0].quality, Quality::kModuleOnly);
  }
  EXPECT_EQ(symbolizer.stats().modules[0].reason, Reason::kNotAFile);
}

TEST(SymbolizerTest, StaysInsideTheModulesRange) {
  FixtureRun run = RunFixture("cxx_pie_dwarf5");
  const std::uint64_t pc = run.markers.at("main");
  run.module.start = pc;  // so the return address's own call lies outside
  run.module.end = pc + 1;
  Symbolizer symbolizer;
  EXPECT_EQ(symbolizer.Resolve(run.module, Pc{pc})[0].quality,
            Quality::kModuleOnly);
  run.module.start = pc - 1;
  EXPECT_EQ(symbolizer.Resolve(run.module, Pc{pc})[0].function, "main");
}

TEST(SymbolizerTest, ClosesTheModuleNotUsedForLongest) {
  const FixtureRun a = RunFixture("cxx_pie_dwarf5");
  const FixtureRun b = RunFixture("c_pie_dwarf5");
  Symbolizer symbolizer(Options{.max_open_modules = 1});
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(symbolizer.Resolve(a.module, Pc{a.markers.at("main")})[0].line,
              LineOf("shapes.cc", "main"));
    EXPECT_EQ(symbolizer.Resolve(b.module, Pc{b.markers.at("c_main")})[0].line,
              LineOf("plain.c", "c_main"));
  }
  ASSERT_EQ(symbolizer.stats().modules.size(), 2u);
  EXPECT_EQ(symbolizer.stats().modules[0].lookups, 3u);
}

TEST(SymbolizerTest, NamesJitCodeByThePerfMap) {
  const TempDirectory root;
  WriteFile(root.path() + "/tmp/perf-42.map", "7f0000 100 Jit:add\n");
  Symbolizer symbolizer(Options{.root = root.path()});
  EXPECT_EQ(symbolizer.ResolveOutsideModules(Pc{0x7f0080})[0].function,
            "0x7f0080");
  ASSERT_TRUE(symbolizer.LoadJitCode({.pid = 42}).ok());
  EXPECT_FALSE(symbolizer.LoadJitCode({.pid = 43}).ok());
  const auto frames = symbolizer.ResolveOutsideModules(Pc{0x7f0100});
  EXPECT_EQ(frames[0].function, "Jit:add");
  EXPECT_EQ(frames[0].quality, Quality::kJit);
  const auto behind = symbolizer.ResolveOutsideModules(
      Pc{.address = 0x7f0100, .kind = PcKind::kExact});
  EXPECT_EQ(behind[0].quality, Quality::kUnknown);
  EXPECT_EQ(behind[0].function, "0x7f0100");
  EXPECT_EQ(symbolizer.stats().lookups, 3u);
}

}  // namespace
}  // namespace heapledger::symbolizer
