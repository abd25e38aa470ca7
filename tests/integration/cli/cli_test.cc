// SPDX-License-Identifier: Apache-2.0
// The heapledger executable as a user or a script meets it: output, goldens,
// exit codes.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/integration/cli/cli_fixture.h"
#include "tests/support/ledger_builder.h"

namespace heapledger {
namespace {

using nlohmann::json;
using testing::LedgerBuilder;

TEST_F(CliTest, HelpFitsOneScreenAndNamesEveryVerb) {
  const Outcome help = Heapledger("--help");
  EXPECT_EQ(help.status, 0);
  EXPECT_LE(std::ranges::count(help.out, '\n'), 24);
  for (const char* verb : {"run", "ps", "top", "report", "snapshot", "mark",
                           "diff", "arm", "disarm", "doctor"}) {
    EXPECT_NE(help.out.find(std::string("  ") + verb), std::string::npos);
    const Outcome own = Heapledger(std::string(verb) + " --help");
    EXPECT_EQ(own.status, 0) << verb;
    EXPECT_NE(own.out.find("Example"), std::string::npos) << verb;
    EXPECT_NE(own.out.find("heapledger " + std::string(verb)),
              std::string::npos)
        << verb;
  }
  EXPECT_EQ(Heapledger("--version").out.rfind("heapledger ", 0), 0U);
}

TEST_F(CliTest, WrongUsageEndsWithTwoAndOneSentence) {
  for (const char* words :
       {"", "frobnicate", "report", "report 1 --value weight",
        "report 1 --nonsense", "top", "run", "run --max-depth 0 -- true",
        "run --allocator tcmalloc -- true", "ps --interval never"}) {
    const Outcome outcome = Heapledger(words);
    EXPECT_EQ(outcome.status, 2) << words;
    EXPECT_EQ(outcome.out, "") << words;
    EXPECT_EQ(outcome.err.rfind("heapledger: ", 0), 0U) << outcome.err;
    EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.err;
  }
}

TEST_F(CliTest, ReportsADeadProgramByPidNameAndFile) {
  const std::string path = WriteLedger();
  const Outcome by_pid = Heapledger("report 4242 --json");
  EXPECT_EQ(by_pid.status, 0) << by_pid.err;
  EXPECT_EQ(by_pid.err, "");
  ExpectGolden("report.json", by_pid.out);
  EXPECT_EQ(Heapledger("report orders --json").out, by_pid.out);
  EXPECT_EQ(Heapledger("report " + path + " --json").out, by_pid.out);
}

TEST_F(CliTest, ReportsAsTextAndFoldedStacks) {
  WriteLedger();
  ExpectGolden("report.txt", Heapledger("report 4242").out);
  ExpectGolden("report_verbose.txt", Heapledger("report 4242 -v").out);
  ExpectGolden("report_by_module.txt",
               Heapledger("report 4242 --by module --value allocations").out);
  ExpectGolden("report.folded",
               Heapledger("report 4242 --format folded --value "
                          "allocated-bytes")
                   .out);
}

TEST_F(CliTest, RowsAndOtherAddUpUnderALimit) {
  WriteLedger();
  const json report =
      json::parse(Heapledger("report 4242 --json --limit 1").out);
  ASSERT_EQ(report["callsites"].size(), 1U);
  EXPECT_EQ(report["other"]["rows"], 2);
  for (const char* field : {"live_bytes", "live_objects", "allocated_bytes",
                            "allocations", "frees", "inherited_bytes"}) {
    EXPECT_EQ(report["callsites"][0][field].get<std::uint64_t>() +
                  report["other"][field].get<std::uint64_t>(),
              report["totals"][field].get<std::uint64_t>())
        << field;
  }
}

TEST_F(CliTest, SaysWhyThereIsNoLedgerAndWhatToDo) {
  const Outcome missing = Heapledger("report 999999999");
  EXPECT_EQ(missing.status, 1);
  EXPECT_EQ(
      missing.err,
      "heapledger: report: no ledger for pid 999999999: there is none in " +
          ledgers_ +
          "; start it with heapledger run -- CMD, or look at heapledger "
          "ps\n");
  ASSERT_EQ(symlink("10", (ledgers_ + "/77-1.off").c_str()), 0);
  EXPECT_NE(Heapledger("report 77").err.find("MADV_POPULATE_WRITE"),
            std::string::npos);
}

TEST_F(CliTest, ListsLedgersAndWhatCouldNotBeRead) {
  WriteLedger();
  std::ofstream(ledgers_ + "/9-9.ledger") << std::string(200'000, 'x');
  const Outcome ps = Heapledger("ps --json");
  EXPECT_EQ(ps.status, 0);
  const json list = json::parse(ps.out);
  ASSERT_EQ(list["ledgers"].size(), 1U);
  EXPECT_EQ(list["ledgers"][0]["state"], "killed");
  EXPECT_EQ(list["ledgers"][0]["live_bytes"], 3584);
  EXPECT_EQ(list["problems"].size(), 1U);
  const Outcome text = Heapledger("ps");
  EXPECT_NE(text.out.find("orders"), std::string::npos);
  EXPECT_NE(text.err.find("wrong magic"), std::string::npos);
}

TEST_F(CliTest, KeepsTerminalCodesOfNamesOut) {
  LedgerBuilder builder;
  std::snprintf(builder.header().exe, sizeof(ledger::Header::exe),
                "/tmp/evil\x1b[31m\"\n");
  builder.WriteTo(ledgers_ + "/4242-987654.ledger");
  const Outcome text = Heapledger("report 4242");
  EXPECT_EQ(text.out.find('\x1b'), std::string::npos);
  EXPECT_EQ(json::parse(Heapledger("report 4242 --json").out)["process"]["exe"],
            "/tmp/evil\x1b[31m\"\n");
}

TEST_F(CliTest, TopNeedsAProgramThatRuns) {
  WriteLedger();
  const Outcome none = Heapledger("top --once --json");
  EXPECT_EQ(none.status, 0);
  EXPECT_TRUE(json::parse(none.out)["processes"].empty());
  const Outcome dead = Heapledger("top --once orders");
  EXPECT_EQ(dead.status, 1);
  EXPECT_NE(dead.err.find("does not run any more"), std::string::npos);
}

TEST_F(CliTest, RunReturnsTheProgramsOwnStatus) {
  EXPECT_EQ(Heapledger("run -- true").status, 0);
  EXPECT_EQ(Heapledger("run -- sh -c 'exit 7'").status, 7);
  EXPECT_EQ(Heapledger("run -- sh -c 'kill -TERM $$'").status, 128 + 15);
  EXPECT_EQ(Heapledger("run -- " + temp_.Path("nothing")).status, 127);
  EXPECT_EQ(Heapledger("run -- " + temp_.path()).status, 126);
}

TEST_F(CliTest, RunLeavesTheProgramsOutputAlone) {
  const Outcome outcome = Heapledger(
      "run -- sh -c 'echo out; echo err >&2; test -n "
      "\"$LD_PRELOAD\"'");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_EQ(outcome.out, "out\n");
  EXPECT_EQ(outcome.err.rfind("err\nheapledger: run: sh", 0), 0U)
      << outcome.err;
  EXPECT_EQ(Heapledger("-q run -- sh -c 'echo err >&2'").err, "err\n");
}

TEST_F(CliTest, RunPutsTheShimBeforeWhatWasPreloaded) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer's runtime must be preloaded first";
#endif
  const Outcome outcome = Heapledger(
      "-q run -- sh -c 'echo $LD_PRELOAD; echo $HEAPLEDGER_DIR; "
      "echo $HEAPLEDGER_STACK $HEAPLEDGER_MAX_DEPTH'",
      "LD_PRELOAD=libdl.so.2");
  EXPECT_NE(outcome.out.find("libheapledger.so:libdl.so.2\n"),
            std::string::npos)
      << outcome.out;
  EXPECT_NE(outcome.out.find(ledgers_ + "/run-"), std::string::npos);
  EXPECT_NE(Heapledger("-q run --stack caller --max-depth 9 -- sh -c "
                       "'echo $HEAPLEDGER_STACK $HEAPLEDGER_MAX_DEPTH'")
                .out.find("caller 9\n"),
            std::string::npos);
}

TEST_F(CliTest, RunPassesSignalsOn) {
  const Outcome outcome = Heapledger(
      "-q run -- sh -c 'trap \"echo got; exit 5\" TERM; kill -TERM $PPID; "
      "sleep 5 & wait'");
  EXPECT_EQ(outcome.status, 5);
  EXPECT_EQ(outcome.out, "got\n");
}

TEST_F(CliTest, DoctorNamesWhatKeepsAProgramFromBeingMeasured) {
  const Outcome good = Heapledger("doctor --json -- sh");
  EXPECT_EQ(good.status, 0) << good.out;
  const json checks = json::parse(good.out)["checks"];
  EXPECT_GE(checks.size(), 5U);
  const std::string copy = temp_.Path("sh");
  std::filesystem::copy_file("/bin/sh", copy);
  chmod(copy.c_str(), 04755);
  const Outcome bad = Heapledger("doctor -- " + copy);
  EXPECT_EQ(bad.status, 3);
  EXPECT_NE(bad.out.find("set-uid"), std::string::npos);
  EXPECT_EQ(Heapledger("doctor -- no-such-program-here").status, 3);
}

}  // namespace
}  // namespace heapledger
