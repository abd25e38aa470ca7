// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/settings.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace heapledger::collector::cli {
namespace {

class SettingsTest : public ::testing::Test {
 protected:
  SettingsTest()
      : file_(::testing::TempDir() + "/settings_test." +
              std::to_string(::getpid())) {
    app_.add_option("--interval", interval_, "")
        ->check(CLI::Range(0.5, 60.0))
        ->type_name("SECONDS");
    app_.add_option("--listen", listen_, "")->allow_extra_args(false);
    app_.add_option("--tls-cert", certificate_, "");
    app_.add_flag("--insecure", insecure_, "");
  }
  ~SettingsTest() override {
    ::unlink(file_.c_str());
    for (const char* name : {"INTERVAL", "LISTEN", "INSECURE", "TLS_CERT"}) {
      ::unsetenv((std::string("HEAPLEDGER_DEMO_") + name).c_str());
    }
    ::unsetenv("HEAPLEDGER_DIR");
  }

  // What Load() says of this command line and file; empty for nothing.
  std::string Load(std::vector<std::string> words, const std::string& yaml) {
    std::ofstream(file_) << yaml;
    words.insert(words.end(), {"--config", file_});
    std::ranges::reverse(words);
    app_.parse(words);
    return std::string(settings_->Load().message());
  }

  void Make() { settings_.emplace(app_, "demo"); }

  CLI::App app_;
  std::string file_;
  double interval_ = 1;
  std::vector<std::string> listen_ = {"a:1"};
  std::string certificate_;
  bool insecure_ = false;
  std::optional<Settings> settings_;
};

TEST_F(SettingsTest, TakesTheCommandLineThenTheEnvironmentThenTheFile) {
  Make();
  ::setenv("HEAPLEDGER_DEMO_INTERVAL", "3", 1);
  ::setenv("HEAPLEDGER_DEMO_LISTEN", "b:2,c:3", 1);
  EXPECT_EQ(Load({"--interval", "2"},
                 "demo:\n  interval: 4\n  listen: [d:4]\n  tls_cert: /x\n"
                 "  insecure: on\n"),
            "");
  EXPECT_EQ(interval_, 2);
  EXPECT_EQ(listen_, (std::vector<std::string>{"b:2", "c:3"}));
  EXPECT_EQ(certificate_, "/x");
  EXPECT_TRUE(insecure_);
  EXPECT_EQ(settings_->ToYaml(),
            "demo:\n"
            "  interval: 2  # command line\n"
            "  listen: [\"b:2\", \"c:3\"]  # HEAPLEDGER_DEMO_LISTEN\n"
            "  tls_cert: \"/x\"  # " +
                file_ +
                " line 4\n"
                "  insecure: true  # " +
                file_ + " line 5\n");
}

TEST_F(SettingsTest, ShowsDefaultsAndReadsItsOwnWordsAgain) {
  Make();
  EXPECT_EQ(Load({}, ""), "");
  const std::string shown = settings_->ToYaml();
  EXPECT_EQ(shown,
            "demo:\n  interval: 1  # default\n  listen: [\"a:1\"]  # default\n"
            "  # tls_cert: not set\n  insecure: false  # default\n");
  app_.clear();
  EXPECT_EQ(Load({}, shown), "");
  EXPECT_EQ(interval_, 1);
  EXPECT_EQ(listen_, (std::vector<std::string>{"a:1"}));
}

TEST_F(SettingsTest, SaysWhereAValueIsWrong) {
  Make();
  for (const auto& [yaml, why] :
       std::vector<std::pair<std::string, std::string>>{
           {"demo:\n  tls_cert: x\n  interval: soon\n",
            " line 3: demo.interval is refused: "},
           {"demo:\n  interval: 0.1\n", " line 2: demo.interval is refused: "},
           {"demo:\n  insecure: 2\n",
            " line 2: demo.insecure is \"2\", not true or false"},
           {"demo:\n  listen: {a: b}\n", " line 2: demo.listen takes a list"},
           {"demo:\n  interval: [1]\n",
            " line 2: demo.interval takes one value, no list or map"},
           {"demo:\n  interval:\n", " line 2: demo.interval has no value"},
           {"demo:\n\n  intervall: 1\n",
            " line 3: demo.intervall is no key known here; there are interval, "
            "listen, tls_cert, insecure"},
           {"collector:\n  interval: 1\n",
            " line 1: collector is no key known here; there are demo"},
           {"demo: [", " line "}}) {
    app_.clear();
    EXPECT_TRUE(Load({}, yaml).starts_with(file_ + why))
        << settings_->Load().message();
  }
  ::setenv("HEAPLEDGER_DEMO_INSECURE", "perhaps", 1);
  app_.clear();
  EXPECT_EQ(Load({}, ""),
            "HEAPLEDGER_DEMO_INSECURE is \"perhaps\", not true or false; see "
            "heapledger demo --help");
}

TEST_F(SettingsTest, ChecksTheFileEvenWhereTheCommandLineWins) {
  Make();
  EXPECT_NE(Load({"--interval", "2"}, "demo:\n  interval: [1]\n"), "");
}

TEST_F(SettingsTest, NamesAFileThatIsNotThere) {
  Make();
  app_.parse("--config /nonexistent/h.yaml");
  EXPECT_EQ(settings_->Load().message(),
            "read /nonexistent/h.yaml: No such file or directory; give a file "
            "that can be read with --config");
}

TEST_F(SettingsTest, HandsSectionsToTheirReaders) {
  Make();
  std::vector<std::string> seen;
  settings_->AddSection("rules", [&seen](const YamlValue& value) {
    const auto items = value.List();
    if (!items.ok()) return items.status();
    for (const YamlValue& item : *items) seen.push_back(*item.String());
    return absl::OkStatus();
  });
  EXPECT_EQ(Load({}, "demo:\n  rules:\n    - one\n    - two\n"), "");
  EXPECT_EQ(seen, (std::vector<std::string>{"one", "two"}));
  EXPECT_NE(settings_->ToYaml().find("  # rules: " + file_ + " line 2\n"),
            std::string::npos);
  app_.clear();
  EXPECT_EQ(Load({}, "demo:\n  rules: no\n"),
            file_ + " line 2: demo.rules takes a list");
}

TEST_F(SettingsTest, ReadsAVariableThatVerbsShare) {
  Make();
  settings_->AlsoFrom("tls_cert", "HEAPLEDGER_DIR");
  ::setenv("HEAPLEDGER_DIR", "/shared", 1);
  EXPECT_EQ(Load({}, ""), "");
  EXPECT_EQ(certificate_, "/shared");
}

}  // namespace
}  // namespace heapledger::collector::cli
