// SPDX-License-Identifier: Apache-2.0
// Debug files over the network: asked for only when told to, and only believed
// if they are the right ones. The server is a script on the loopback.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "symbolizer/symbolizer.h"
#include "test_support.h"

namespace heapledger::symbolizer {
namespace {

constexpr char kBuildId[] = "0123456789abcdef0123456789abcdef01234567";

class DebuginfodTest : public testing::Test {
 protected:
  void SetUp() override {
    if (dlopen("libdebuginfod.so.1", RTLD_NOW) == nullptr) {
      GTEST_SKIP() << "needs libdebuginfod1";
    }
    setenv("DEBUGINFOD_CACHE_PATH", (cache_.path() + "/client").c_str(), 1);
  }

  void TearDown() override {
    if (server_ <= 0) return;
    close(to_server_);
    fclose(from_server_);
    waitpid(server_, nullptr, 0);
  }

  void Serve(const std::string& debug_file) {
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    ASSERT_EQ(pipe(in.data()), 0);
    ASSERT_EQ(pipe(out.data()), 0);
    server_ = fork();
    if (server_ == 0) {
      dup2(in[0], 0);
      dup2(out[1], 1);
      close(in[1]);
      execlp("python3", "python3", DEBUGINFOD_SERVER, kBuildId,
             debug_file.c_str(), nullptr);
      _exit(127);
    }
    close(in[0]);
    close(out[1]);
    to_server_ = in[1];
    from_server_ = fdopen(out[0], "r");
    const std::string port = NextLine();
    ASSERT_FALSE(port.empty()) << "the server did not start";
    setenv("DEBUGINFOD_URLS", ("http://127.0.0.1:" + port).c_str(), 1);
  }

  // Without its end.
  std::string NextLine() {
    char line[512];
    if (fgets(line, sizeof line, from_server_) == nullptr) return "";
    std::string text = line;
    return text.substr(0, text.find('\n'));
  }

  // Whatever the server was asked for; ends it.
  std::string Requests() {
    close(to_server_);
    to_server_ = -1;
    std::string all;
    for (std::string line; !(line = NextLine()).empty();) all += line + ";";
    return all;
  }

  static Options OptionsWith(NetworkUse network) {
    Options options;
    options.debug_directories = {};
    options.network = network;
    return options;
  }

  static FixtureRun Stripped() {
    FixtureRun run = RunFixture("stripped_build_id");
    run.module.build_id = kBuildId;
    return run;
  }

  const TempDirectory cache_;
  pid_t server_ = 0;
  int to_server_ = -1;
  FILE* from_server_ = nullptr;
};

std::string DebugFile() {
  return FixturePath(
      "debug/.build-id/01/23456789abcdef0123456789abcdef01234567.debug");
}

TEST_F(DebuginfodTest, FetchesTheDebugFileOfAStrippedProgram) {
  Serve(DebugFile());
  const FixtureRun run = Stripped();
  Symbolizer symbolizer(OptionsWith(NetworkUse::kDebuginfod));
  const auto frames =
      symbolizer.Resolve(run.module, Pc{run.markers.at("inlined")});
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(frames[2].function, "shapes::Outer(int)");
  EXPECT_EQ(frames[0].line, LineOf("shapes.cc", "innermost"));
  EXPECT_EQ(symbolizer.stats().modules[0].reason, Reason::kNone);
  EXPECT_EQ(Requests(), "/buildid/" + std::string(kBuildId) + "/debuginfo;");
}

TEST_F(DebuginfodTest, AsksNobodyUnlessToldTo) {
  Serve(DebugFile());
  const FixtureRun run = Stripped();
  Symbolizer symbolizer(OptionsWith(NetworkUse::kNone));
  const auto frames =
      symbolizer.Resolve(run.module, Pc{run.markers.at("inlined")});
  EXPECT_EQ(frames[0].quality, Quality::kModuleOnly);
  EXPECT_EQ(Requests(), "");
}

TEST_F(DebuginfodTest, RefusesADebugFileOfAnotherProgram) {
  Serve(FixturePath("cxx_pie_dwarf5"));
  const FixtureRun run = Stripped();
  Symbolizer symbolizer(OptionsWith(NetworkUse::kDebuginfod));
  const auto frames =
      symbolizer.Resolve(run.module, Pc{run.markers.at("inlined")});
  EXPECT_EQ(frames[0].quality, Quality::kModuleOnly);
  EXPECT_EQ(symbolizer.stats().modules[0].reason, Reason::kNoSymbols);
}

TEST_F(DebuginfodTest, SaysThatNoServerIsNamed) {
  unsetenv("DEBUGINFOD_URLS");
  FixtureRun run = RunFixture("cxx_no_debug");
  run.module.build_id = "";
  const std::string id = OutputOf("readelf -n " + run.module.path +
                                  " | sed -n 's/.*Build ID: //p'");
  run.module.build_id = id.substr(0, id.find('\n'));
  Symbolizer symbolizer(OptionsWith(NetworkUse::kDebuginfod));
  symbolizer.Resolve(run.module, Pc{run.markers.at("inlined")});
  EXPECT_EQ(symbolizer.stats().modules[0].reason, Reason::kNoDebugInfo);
  EXPECT_EQ(symbolizer.stats().modules[0].detail,
            "ask debuginfod: DEBUGINFOD_URLS names no server");
}

}  // namespace
}  // namespace heapledger::symbolizer
