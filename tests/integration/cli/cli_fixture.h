// SPDX-License-Identifier: Apache-2.0
// Runs the heapledger executable on a ledger directory of the test's own.
// HEAPLEDGER_UPDATE_GOLDENS=1 writes the goldens anew.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/ledger_builder.h"
#include "tests/support/temp_directory.h"

namespace heapledger {

struct Outcome {
  int status = -1;
  std::string out;
  std::string err;
};

inline std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class CliTest : public ::testing::Test {
 protected:
  CliTest() {
    ledgers_ = temp_.Path("ledgers");
    std::filesystem::create_directory(ledgers_);
    chmod(ledgers_.c_str(), 0700);
  }

  // `words` go through a shell. `before` sets variables.
  Outcome Heapledger(const std::string& words, const std::string& before = "") {
    const std::string command = before + " HEAPLEDGER_DIR=" + ledgers_ +
                                " " HEAPLEDGER_BINARY " " + words + " >" +
                                temp_.Path("out") + " 2>" + temp_.Path("err") +
                                " </dev/null";
    const int wait_status = std::system(command.c_str());
    return {WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1,
            ReadAll(temp_.Path("out")), ReadAll(temp_.Path("err"))};
  }

  // A dead program with three callsites, one of them inherited.
  std::string WriteLedger() {
    testing::LedgerBuilder builder;
    const auto program =
        builder.AddModule("/nonexistent/bin/orders", 0x10000, "\xaa\xbb");
    const auto library =
        builder.AddModule("/nonexistent/lib/libcache.so.2", 0x50000, "\xcc");
    const auto main = builder.AddFrame(0x10100, program);
    const auto serve = builder.AddFrame(0x10200, program);
    const auto insert = builder.AddFrame(0x50300, library);
    const auto a = builder.AddCallsite(builder.AddStack({insert, serve, main}));
    const auto b = builder.AddCallsite(builder.AddStack({serve, main}),
                                       ledger::kCallsiteTruncated);
    const auto c = builder.AddCallsite(builder.AddStack({main}),
                                       ledger::kCallsiteInherited);
    builder.Allocate(a, 0, 4096, 4);
    builder.Free(a, 1, 1024, 1);
    builder.Allocate(b, 2, 1'000'000, 2000);
    builder.Free(b, 2, 1'000'000, 2000);
    builder.Allocate(c, 0, 512, 2);
    builder.header().peak_live_bytes = 500'000;
    builder.header().degraded[0] = 12;
    const std::string path = ledgers_ + "/4242-987654.ledger";
    builder.WriteTo(path);
    return path;
  }

  void ExpectGolden(const std::string& name, const std::string& text) {
    const std::string path = std::string(HEAPLEDGER_GOLDENS "/") + name;
    if (std::getenv("HEAPLEDGER_UPDATE_GOLDENS") != nullptr) {
      std::ofstream(path) << text;
    }
    EXPECT_EQ(text, ReadAll(path)) << name;
  }

  testing::TempDirectory temp_;
  std::string ledgers_;
};

}  // namespace heapledger
