// SPDX-License-Identifier: Apache-2.0
// Against binutils' addr2line, an independent reader of the same files, on
// pseudo-random addresses inside functions. What may differ in names, and
// counts as agreement, is written in SameName(). Where lines differ and
// llvm-symbolizer is there, it is the referee: binutils 2.40 takes the first
// file of a DWARF 5 line table for the one that the table begins in, so that
// it names the wrong file for code that stands in an included one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "symbolizer/demangle.h"
#include "symbolizer/symbolizer.h"
#include "test_support.h"

namespace heapledger::symbolizer {
namespace {

constexpr std::size_t kAddresses = 800;
constexpr double kRequiredShare = 0.99;

struct FunctionSymbol {
  std::uint64_t address;
  std::uint64_t size;
  std::string name;
};

// The functions with a size in .symtab, or in .dynsym if that is all.
std::vector<FunctionSymbol> FunctionsOf(const std::string& path) {
  const std::string nm = std::string(NM) + " -S --defined-only ";
  std::string text = OutputOf(nm + path + " 2>/dev/null");
  if (text.empty()) text = OutputOf(nm + "-D " + path);
  std::vector<FunctionSymbol> functions;
  for (const std::string& line : SplitLines(text)) {
    std::istringstream in(line);
    FunctionSymbol function;
    std::string type;
    in >> std::hex >> function.address >> function.size >> type >>
        function.name;
    if (in && type.size() == 1 && std::string("tTwWiu").find(type) != type.npos)
      functions.push_back(function);
  }
  return functions;
}

std::vector<std::uint64_t> SampleAddresses(
    const std::vector<FunctionSymbol>& functions) {
  std::mt19937_64 random(4);
  std::vector<std::uint64_t> addresses;
  for (std::size_t i = 0; i < kAddresses; ++i) {
    const FunctionSymbol& function = functions[random() % functions.size()];
    addresses.push_back(function.address + random() % function.size);
  }
  return addresses;
}

struct TheirFrame {
  std::string function;
  std::string file;
  std::uint32_t line;
};

// "file:12 (discriminator 3)", "??:0", "file:?"
TheirFrame ParseFrame(const std::string& function, std::string place) {
  place = place.substr(0, place.find(" (discriminator"));
  const std::size_t colon = place.rfind(':');
  const std::string line = place.substr(colon + 1);
  std::string file = place.substr(0, colon);
  if (file == "??") file.clear();
  // " [clone .cold]": a part of the function, which we take for the function.
  const std::string name = function.substr(0, function.find(" [clone "));
  return {std::string(StripSymbolVersion(name)), file,
          static_cast<std::uint32_t>(std::strtoul(line.c_str(), nullptr, 10))};
}

std::vector<std::vector<TheirFrame>> RunAddr2line(
    const std::string& path, const std::vector<std::uint64_t>& addresses) {
  const TempDirectory directory;
  std::ostringstream input;
  for (std::uint64_t address : addresses) input << std::hex << address << '\n';
  WriteFile(directory.path() + "/in", input.str());
  const std::vector<std::string> lines =
      SplitLines(OutputOf(std::string(ADDR2LINE) + " -a -f -i -C -e " + path +
                          " < " + directory.path() + "/in"));
  std::vector<std::vector<TheirFrame>> result;
  for (std::size_t i = 0; i < lines.size();) {
    if (lines[i].starts_with("0x")) {
      result.emplace_back();
      ++i;
    } else if (i + 1 < lines.size() && !result.empty()) {
      result.back().push_back(ParseFrame(lines[i], lines[i + 1]));
      i += 2;
    } else {
      break;
    }
  }
  return result;
}

// The same from llvm-symbolizer; nothing if it is not installed.
std::vector<std::vector<TheirFrame>> RunLlvmSymbolizer(
    const std::string& path, const std::vector<std::uint64_t>& addresses) {
  std::vector<std::vector<TheirFrame>> result;
  if (!std::filesystem::exists(LLVM_SYMBOLIZER)) return result;
  const TempDirectory directory;
  std::ostringstream input;
  for (std::uint64_t address : addresses) {
    input << "0x" << std::hex << address << '\n';
  }
  WriteFile(directory.path() + "/in", input.str());
  const std::vector<std::string> lines = SplitLines(
      OutputOf("env -u DEBUGINFOD_URLS " LLVM_SYMBOLIZER " --obj=" + path +
               " < " + directory.path() + "/in"));
  // An empty line ends each address.
  result.emplace_back();
  for (std::size_t i = 0; i < lines.size();) {
    if (lines[i].empty()) {
      result.emplace_back();
      ++i;
    } else if (i + 1 < lines.size()) {
      // "file:12:34": without the column.
      const std::string& place = lines[i + 1];
      result.back().push_back(
          ParseFrame(lines[i], place.substr(0, place.rfind(':'))));
      i += 2;
    } else {
      break;
    }
  }
  result.resize(addresses.size());
  return result;
}

// "void ns::(anonymous namespace)::Class<int>::Run<int>(int)" -> "Run"
std::string BareName(std::string name) {
  const std::string anonymous = "(anonymous namespace)::";
  for (std::size_t at; (at = name.find(anonymous)) != std::string::npos;) {
    name.erase(at, anonymous.size());
  }
  const std::size_t op = name.find("operator");
  if (op != std::string::npos) return "operator";
  std::string bare;
  int depth = 0;
  for (char c : name) {
    if (c == '<') ++depth;
    if (depth == 0) {
      if (c == '(') break;
      bare = c == ':' || c == ' ' ? "" : bare + c;
    }
    if (c == '>') --depth;
  }
  return bare;
}

bool HasParameters(const std::string& name) {
  return (name.ends_with(')') || name.ends_with(") const")) &&
         !name.ends_with("operator()");
}

class Comparison {
 public:
  explicit Comparison(std::vector<FunctionSymbol> functions)
      : functions_(std::move(functions)) {
    for (const FunctionSymbol& function : functions_) {
      addresses_of_[Demangle(StripSymbolVersion(function.name))].insert(
          function.address);
    }
  }

  void Add(std::uint64_t address, const std::vector<Frame>& ours,
           const std::vector<TheirFrame>& theirs,
           const std::vector<TheirFrame>* referee) {
    ++addresses;
    const bool same_depth = ours.size() == theirs.size();
    bool same_names = same_depth;
    for (std::size_t i = 0; same_depth && i < ours.size(); ++i) {
      ++frames;
      same_names = same_names && SameName(address, ours[i], theirs[i]);
    }
    bool same_lines = SameLines(ours, theirs);
    if (!same_lines && referee != nullptr && SameLines(ours, *referee)) {
      same_lines = true;
      ++refereed;
    }
    names += same_names;
    lines += same_lines;
    if (!same_names || !same_lines) Show(address, ours, theirs);
  }

  std::size_t addresses = 0;
  std::size_t frames = 0;
  std::size_t names = 0;
  std::size_t lines = 0;
  std::size_t aliases = 0;
  std::size_t unqualified = 0;
  std::size_t misplaced = 0;
  std::size_t refereed = 0;

 private:
  bool SameName(std::uint64_t address, const Frame& ours,
                const TheirFrame& theirs) {
    if (ours.function == theirs.function) return true;
    // binutils leaves names of more than 1024 characters as they are.
    if (ours.function == Demangle(theirs.function)) return true;
    if (ours.quality == Quality::kModuleOnly) return theirs.function == "??";
    if (AreAliases(ours.function, theirs.function)) {
      ++aliases;
      return true;
    }
    // Without a linkage name they say "Run", we "ns::Class::Run"; where an
    // inlined function took the symbol, they say so of the one around it.
    const bool one_is_bare =
        !HasParameters(ours.function) || !HasParameters(theirs.function);
    if (one_is_bare && BareName(ours.function) == BareName(theirs.function)) {
      ++unqualified;
      return true;
    }
    // Where the innermost inlined function has no linkage name, they give it
    // the name of the symbol, which is that of the function around it.
    if (ours.inlined && theirs.function == SymbolAt(address)) {
      ++misplaced;
      return true;
    }
    return false;
  }

  static bool SameLine(const Frame& ours, const TheirFrame& theirs) {
    if (ours.line != theirs.line) return false;
    // A file without a line is the STT_FILE symbol, no debug information.
    if (ours.line == 0 && ours.file.empty()) return true;
    return std::filesystem::path(ours.file).lexically_normal() ==
           std::filesystem::path(theirs.file).lexically_normal();
  }

  static bool SameLines(const std::vector<Frame>& ours,
                        const std::vector<TheirFrame>& theirs) {
    return std::equal(ours.begin(), ours.end(), theirs.begin(), theirs.end(),
                      SameLine);
  }

  bool AreAliases(const std::string& a, const std::string& b) const {
    const auto at_a = addresses_of_.find(a);
    const auto at_b = addresses_of_.find(b);
    if (at_a == addresses_of_.end() || at_b == addresses_of_.end()) {
      return false;
    }
    return std::any_of(
        at_a->second.begin(), at_a->second.end(),
        [&](std::uint64_t address) { return at_b->second.count(address) > 0; });
  }

  std::string SymbolAt(std::uint64_t address) const {
    for (const FunctionSymbol& function : functions_) {
      if (address >= function.address &&
          address - function.address < function.size) {
        return Demangle(StripSymbolVersion(function.name));
      }
    }
    return "";
  }

  void Show(std::uint64_t address, const std::vector<Frame>& ours,
            const std::vector<TheirFrame>& theirs) {
    if (++shown_ > 12) return;
    std::printf("  differs at 0x%lx\n", static_cast<unsigned long>(address));
    for (const Frame& frame : ours) {
      std::printf("    ours   %s %s:%u\n", frame.function.c_str(),
                  frame.file.c_str(), frame.line);
    }
    for (const TheirFrame& frame : theirs) {
      std::printf("    theirs %s %s:%u\n", frame.function.c_str(),
                  frame.file.c_str(), frame.line);
    }
  }

  std::vector<FunctionSymbol> functions_;
  std::map<std::string, std::set<std::uint64_t>> addresses_of_;
  int shown_ = 0;
};

// Compares on `path`, whose functions `symbols_path` lists.
void ExpectAgreement(const std::string& path, const std::string& symbols_path,
                     Options options = {}) {
  const std::vector<FunctionSymbol> functions = FunctionsOf(symbols_path);
  ASSERT_FALSE(functions.empty());
  const std::vector<std::uint64_t> addresses = SampleAddresses(functions);
  const auto theirs = RunAddr2line(path, addresses);
  ASSERT_EQ(theirs.size(), addresses.size());
  const auto referee = RunLlvmSymbolizer(path, addresses);

  std::vector<Pc> pcs;
  for (std::uint64_t address : addresses)
    pcs.push_back({address, PcKind::kExact});
  ModuleRef module;
  module.path = path;
  Symbolizer symbolizer(std::move(options));
  const auto ours = symbolizer.ResolveAll(module, pcs);

  Comparison comparison(functions);
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    comparison.Add(addresses[i], ours[i], theirs[i],
                   referee.empty() ? nullptr : &referee[i]);
  }
  const auto share = [&](std::size_t n) {
    return static_cast<double>(n) / static_cast<double>(comparison.addresses);
  };
  std::printf(
      "%s: %zu addresses, %zu frames: names %.2f%%, file and line %.2f%% "
      "(of the names %zu aliases, %zu unqualified and %zu misplaced there; of "
      "the lines %zu after llvm-symbolizer)\n",
      path.c_str(), comparison.addresses, comparison.frames,
      100 * share(comparison.names), 100 * share(comparison.lines),
      comparison.aliases, comparison.unqualified, comparison.misplaced,
      comparison.refereed);
  EXPECT_GE(share(comparison.names), kRequiredShare);
  EXPECT_GE(share(comparison.lines), kRequiredShare);
}

class AgreementTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(ADDR2LINE) || !std::filesystem::exists(NM)) {
      GTEST_SKIP() << "needs addr2line and nm";
    }
  }

  static std::string LibcPath() {
    for (const std::string& line :
         SplitLines(OutputOf("cat /proc/self/maps"))) {
      const std::size_t slash = line.find('/');
      if (line.find("libc.so.6") != std::string::npos) {
        return line.substr(slash);
      }
    }
    return "";
  }
};

TEST_F(AgreementTest, OnCxxFixtures) {
  for (const char* name : {"cxx_pie_dwarf5", "cxx_nopie_dwarf4",
                           "cxx_compressed", "cxx_no_debug"}) {
    ExpectAgreement(FixturePath(name), FixturePath(name));
  }
}

TEST_F(AgreementTest, OnCFixtures) {
  ExpectAgreement(FixturePath("c_pie_dwarf5"), FixturePath("c_pie_dwarf5"));
}

TEST_F(AgreementTest, OnThisTestItself) {
  const std::string self = std::filesystem::canonical("/proc/self/exe");
  ExpectAgreement(self, self);
}

// With its debug file where that is installed.
TEST_F(AgreementTest, OnTheCLibrary) {
  const std::string libc = LibcPath();
  if (libc.empty()) GTEST_SKIP() << "no libc.so.6 in this process";
  ExpectAgreement(libc, libc);
}

// addr2line ignores .dynsym, so nm is the reference: the name must be that of
// a symbol that covers the address.
TEST_F(AgreementTest, OnTheCLibraryWithDynamicSymbolsOnly) {
  const std::string libc = LibcPath();
  if (libc.empty()) GTEST_SKIP() << "no libc.so.6 in this process";
  // A copy that leads to no debug file.
  const TempDirectory directory;
  ModuleRef module;
  module.path = directory.path() + "/libc-plain.so";
  OutputOf(std::string(OBJCOPY) +
           " --strip-all -R .note.gnu.build-id -R .gnu_debuglink " + libc +
           " " + module.path);
  const std::vector<FunctionSymbol> functions = FunctionsOf(module.path);
  ASSERT_FALSE(functions.empty());
  const std::vector<std::uint64_t> addresses = SampleAddresses(functions);
  Symbolizer symbolizer;
  std::size_t same = 0;
  for (std::uint64_t address : addresses) {
    const auto frames = symbolizer.Resolve(module, Pc{address, PcKind::kExact});
    ASSERT_EQ(frames.size(), 1u);
    same += std::any_of(
        functions.begin(), functions.end(), [&](const FunctionSymbol& f) {
          return address >= f.address && address - f.address < f.size &&
                 StripSymbolVersion(f.name) == frames[0].linkage_name;
        });
  }
  std::printf("libc.so.6, .dynsym only: %zu addresses, names of %zu right\n",
              addresses.size(), same);
  EXPECT_EQ(same, addresses.size());
}

}  // namespace
}  // namespace heapledger::symbolizer
