// SPDX-License-Identifier: Apache-2.0
// Files that lie: cut short at every length that matters, and with bytes
// changed at random. Nothing is asked of the answers; every lookup must come
// back with a named frame. Worth most under the address sanitizer.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "symbolizer/symbolizer.h"
#include "test_support.h"

namespace heapledger::symbolizer {
namespace {

class DamageTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kBias = 0x10000;

  // HEAPLEDGER_DAMAGE_ROUNDS makes a longer run; the seed is its number.
  static int Rounds(int usual) {
    const char* rounds = std::getenv("HEAPLEDGER_DAMAGE_ROUNDS");
    return rounds == nullptr ? usual : std::atoi(rounds);
  }

  // From one byte to some hundred changed, anywhere.
  static std::string Damaged(std::string bytes, int seed) {
    std::mt19937 random(static_cast<std::uint32_t>(seed));
    const std::size_t changes = std::size_t{1} << (random() % 9);
    for (std::size_t i = 0; i < changes; ++i) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    return bytes;
  }

  void ResolveEverything(const std::string& bytes) {
    const std::string path = directory_.path() + "/damaged";
    WriteFile(path, bytes);
    ModuleRef module;
    module.path = path;
    module.load_bias = kBias;
    Symbolizer symbolizer(Options{.debug_directories = {}});
    for (const std::vector<Frame>& frames :
         symbolizer.ResolveAll(module, pcs_)) {
      ASSERT_FALSE(frames.empty());
      for (const Frame& frame : frames) ASSERT_FALSE(frame.function.empty());
    }
  }

  // Addresses all over the program's text.
  void UseAddressesOf(const std::string& fixture) {
    const FixtureRun run = RunFixture(fixture);
    for (const auto& [name, address] : run.markers) {
      const std::uint64_t rel_pc = address - run.module.load_bias;
      for (std::uint64_t offset = 0; offset < 64; offset += 16) {
        pcs_.push_back({kBias + rel_pc + offset, PcKind::kExact});
      }
    }
  }

  const TempDirectory directory_;
  std::vector<Pc> pcs_;
};

TEST_F(DamageTest, SurvivesFilesCutShort) {
  for (const char* fixture : {"cxx_pie_dwarf5", "cxx_compressed"}) {
    UseAddressesOf(fixture);
    const std::string whole = ReadFile(FixturePath(fixture));
    std::vector<std::size_t> sizes;
    for (std::size_t size = 0; size < 256; size += 3) sizes.push_back(size);
    for (std::size_t i = 0; i < 200; ++i)
      sizes.push_back(whole.size() * i / 200);
    for (std::size_t i = 1; i < 64; ++i) sizes.push_back(whole.size() - i * 16);
    for (std::size_t size : sizes) {
      SCOPED_TRACE(size);
      ResolveEverything(whole.substr(0, size));
    }
  }
}

// libdw measures such strings with strlen.
TEST_F(DamageTest, SurvivesStringSectionsWithoutAnEnd) {
  UseAddressesOf("cxx_pie_dwarf5");
  WriteFile(directory_.path() + "/endless", std::string(500, 'a'));
  for (const char* section : {".debug_str", ".debug_line_str"}) {
    SCOPED_TRACE(section);
    const std::string path = directory_.path() + "/copy";
    OutputOf(std::string(OBJCOPY) + " --update-section " + section + "=" +
             directory_.path() + "/endless " + FixturePath("cxx_pie_dwarf5") +
             " " + path + " 2>&1");
    ResolveEverything(ReadFile(path));
  }
}

// Opening a pipe, or reading a device, would wait for ever.
TEST_F(DamageTest, NeverOpensAnAltLinkToAPipe) {
  UseAddressesOf("cxx_pie_dwarf5");
  const std::string pipe = directory_.path() + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  WriteFile(directory_.path() + "/link", pipe + '\0' + std::string(20, '\x12'));
  const std::string path = directory_.path() + "/copy";
  OutputOf(std::string(OBJCOPY) +
           " --add-section .gnu_debugaltlink=" + directory_.path() + "/link " +
           FixturePath("cxx_pie_dwarf5") + " " + path);
  // Every string of the unit leads into the file that is not there.
  std::string bytes = ReadFile(path);
  ResolveEverything(bytes);
  constexpr char kFormStrp = 0x0e;     // DW_FORM_strp
  constexpr char kFormStrpSup = 0x1d;  // DW_FORM_strp_sup
  std::replace(bytes.begin(), bytes.end(), kFormStrp, kFormStrpSup);
  ResolveEverything(bytes);
}

// The header and the section headers decide where everything else lies.
TEST_F(DamageTest, SurvivesEveryChangedByteOfTheHeader) {
  UseAddressesOf("cxx_pie_dwarf5");
  const std::string whole = ReadFile(FixturePath("cxx_pie_dwarf5"));
  for (std::size_t at = 0; at < 64; ++at) {
    for (char value : {'\x00', '\x7f', '\xff'}) {
      SCOPED_TRACE(at);
      std::string bytes = whole;
      bytes[at] = value;
      ResolveEverything(bytes);
    }
  }
}

TEST_F(DamageTest, SurvivesRandomChanges) {
  for (const char* fixture :
       {"cxx_pie_dwarf5", "cxx_nopie_dwarf4", "cxx_compressed", "cxx_zstd",
        "cxx_split_dwarf5", "mini_debug_info"}) {
    UseAddressesOf(fixture);
    const std::string whole = ReadFile(FixturePath(fixture));
    const int rounds = Rounds(300);
    for (int seed = 0; seed < rounds; ++seed) {
      SCOPED_TRACE(std::string(fixture) + ", seed " + std::to_string(seed));
      ResolveEverything(Damaged(whole, seed));
    }
  }
}

// The split units' own file, between a sound program and libdw.
TEST_F(DamageTest, SurvivesRandomChangesOfAPackage) {
  for (const char* fixture : {"clang_split_dwarf4", "clang_split_dwarf5"}) {
    const std::string package = FixturePath(std::string(fixture) + ".package");
    if (!std::filesystem::exists(package)) GTEST_SKIP() << "needs llvm-dwp";
    UseAddressesOf(fixture);
    const std::string program = ReadFile(FixturePath(fixture));
    const std::string whole = ReadFile(package);
    const int rounds = Rounds(300);
    for (int seed = 0; seed < rounds; ++seed) {
      SCOPED_TRACE(std::string(fixture) + ", seed " + std::to_string(seed));
      WriteFile(directory_.path() + "/damaged.dwp", Damaged(whole, seed));
      ResolveEverything(program);
    }
  }
}

}  // namespace
}  // namespace heapledger::symbolizer
