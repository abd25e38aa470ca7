// SPDX-License-Identifier: Apache-2.0
// What a user sees of programs that are sampled, cut or dormant, and how arm
// and disarm treat a running one. The ledgers are made by hand and the test
// process itself plays the target.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "tests/integration/cli/cli_fixture.h"

namespace heapledger {
namespace {

using ledger::Control;
using ledger::Mode;
using ledger::StackMode;
using nlohmann::json;
using testing::LedgerBuilder;

constexpr std::uint64_t kArmedNs = 1'700'000'600'000'000'000;
constexpr std::uint64_t kDisarmedNs = 1'700'001'200'000'000'000;

// Two callsites of a dead program, the second with these flags.
LedgerBuilder Orders(std::uint32_t flags = 0) {
  LedgerBuilder builder;
  const auto program =
      builder.AddModule("/nonexistent/bin/orders", 0x10000, "\xaa\xbb");
  const auto main = builder.AddFrame(0x10100, program);
  const auto serve = builder.AddFrame(0x10200, program);
  const auto insert = builder.AddFrame(0x10300, program);
  const auto first =
      builder.AddCallsite(builder.AddStack({insert, serve, main}));
  const auto second =
      builder.AddCallsite(builder.AddStack({insert, serve}), flags);
  builder.Allocate(first, 0, 7 << 20, 70);
  builder.Free(first, 1, 1 << 20, 10);
  builder.Allocate(second, 0, 2 << 20, 4000);
  builder.header().peak_live_bytes = 9 << 20;
  return builder;
}

void SetMode(LedgerBuilder& builder, Mode mode, std::uint32_t sample_bytes) {
  builder.header().mode = static_cast<std::uint32_t>(mode);
  builder.header().sample_bytes = sample_bytes;
}

class ModesCliTest : public CliTest {
 protected:
  void Write(LedgerBuilder& builder) {
    builder.WriteTo(ledgers_ + "/4242-987654.ledger");
  }
};

TEST_F(ModesCliTest, DeclaresASampledProgramsFiguresEstimates) {
  LedgerBuilder builder = Orders();
  SetMode(builder, Mode::kSampled, 524288);
  Write(builder);
  ExpectGolden("report_sampled.txt", Heapledger("report 4242").out);
  const json report = json::parse(Heapledger("report 4242 --json").out);
  EXPECT_EQ(report["process"]["mode"], "sampled");
  EXPECT_EQ(report["process"]["sample_bytes"], 524288);
  EXPECT_EQ(report["process"]["estimated"], true);
  EXPECT_EQ(report["totals"]["live_bytes"], 8 << 20);
  const Outcome ps = Heapledger("ps");
  EXPECT_NE(ps.out.find("~8.0 MiB"), std::string::npos) << ps.out;
  EXPECT_NE(ps.out.find("  sampled  orders"), std::string::npos) << ps.out;
  EXPECT_EQ(Heapledger("report 4242 --format folded").out.find('~'),
            std::string::npos);
}

TEST_F(ModesCliTest, LabelsStacksThatAdaptiveDepthCut) {
  LedgerBuilder builder = Orders(ledger::kCallsiteCut);
  builder.header().stack_mode =
      static_cast<std::uint32_t>(StackMode::kAdaptive);
  builder.header().budget_percent = 3;
  builder.header()
      .degraded[static_cast<std::size_t>(ledger::Degraded::kStackCut)] = 1;
  Write(builder);
  ExpectGolden("report_adaptive.txt", Heapledger("report 4242 -v").out);
  const json report = json::parse(Heapledger("report 4242 --json").out);
  EXPECT_EQ(report["cut_stack_live_bytes"], 2 << 20);
  EXPECT_EQ(report["process"]["stack"], "adaptive");
  EXPECT_EQ(report["process"]["budget_percent"], 3);
  EXPECT_EQ(report["process"]["estimated"], false);
  EXPECT_FALSE(report["callsites"][0].contains("cut"));
  EXPECT_EQ(report["callsites"][1]["cut"], true);
}

TEST_F(ModesCliTest, SaysThatADormantProgramWasNotMeasured) {
  LedgerBuilder builder;
  SetMode(builder, Mode::kDormant, 0);
  Write(builder);
  ExpectGolden("report_dormant.txt", Heapledger("report 4242").out);
  const json report = json::parse(Heapledger("report 4242 --json").out);
  EXPECT_EQ(report["process"]["mode"], "dormant");
  EXPECT_FALSE(report["process"].contains("armed_at"));
  const Outcome ps = Heapledger("ps");
  EXPECT_NE(ps.out.find("dormant  orders"), std::string::npos) << ps.out;
  EXPECT_EQ(ps.out.find("0 B"), std::string::npos) << ps.out;
}

TEST_F(ModesCliTest, SaysWhichPartOfItsLifeAnArmedProgramCovers) {
  LedgerBuilder builder = Orders();
  builder.header().armed_realtime_ns = kArmedNs;
  Write(builder);
  ExpectGolden("report_armed.txt", Heapledger("report 4242").out);
  SetMode(builder, Mode::kDormant, 0);
  builder.header().disarmed_realtime_ns = kDisarmedNs;
  Write(builder);
  const Outcome text = Heapledger("report 4242");
  EXPECT_NE(text.out.find("armed from 2023-11-14T22:23:20Z to "
                          "2023-11-14T22:33:20Z: "),
            std::string::npos)
      << text.out;
  const json report = json::parse(Heapledger("report 4242 --json").out);
  EXPECT_EQ(report["process"]["armed_at"], "2023-11-14T22:23:20Z");
  EXPECT_EQ(report["process"]["disarmed_at"], "2023-11-14T22:33:20Z");
  EXPECT_EQ(json::parse(Heapledger("ps --json").out)["ledgers"][0]["armed_at"],
            "2023-11-14T22:23:20Z");
  // Exact from its start, then disarmed: no reason to hide its figures.
  builder.header().armed_realtime_ns = 0;
  Write(builder);
  const Outcome disarmed = Heapledger("report 4242");
  EXPECT_NE(disarmed.out.find("disarmed since 2023-11-14T22:33:20Z: "),
            std::string::npos);
  EXPECT_NE(disarmed.out.find("8.0 MiB"), std::string::npos);
}

TEST_F(ModesCliTest, RunRefusesWhatMakesNoSense) {
  for (const char* words :
       {"--mode frugal", "--sample-bytes 4096", "--sample-bytes 0",
        "--mode sampled --sample-bytes 4KiB",
        "--mode exact --sample-bytes 4096", "--budget 5",
        "--stack caller --budget 5", "--stack adaptive --budget 0",
        "--stack adaptive --budget 101", "--stack adaptive --mode sampled",
        "--stack adaptive --mode dormant --sample-bytes 4096"}) {
    const Outcome outcome =
        Heapledger("run " + std::string(words) + " -- echo started");
    EXPECT_EQ(outcome.status, 2) << words;
    EXPECT_EQ(outcome.out, "") << words;
    EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.err;
    EXPECT_EQ(outcome.err.rfind("heapledger: run: ", 0), 0U) << outcome.err;
  }
}

TEST_F(ModesCliTest, RunTellsTheShimItsMode) {
  const std::string show =
      " -- sh -c 'echo $HEAPLEDGER_MODE,$HEAPLEDGER_SAMPLE_BYTES,"
      "$HEAPLEDGER_STACK,$HEAPLEDGER_BUDGET'";
  EXPECT_EQ(Heapledger("-q run --mode sampled --sample-bytes 65536" + show).out,
            "sampled,65536,,\n");
  EXPECT_EQ(Heapledger("-q run --stack adaptive --budget 7" + show).out,
            ",,adaptive,7\n");
  EXPECT_EQ(Heapledger("-q run --mode dormant --sample-bytes 9" + show).out,
            "dormant,9,,\n");
  EXPECT_EQ(
      Heapledger("-q run --sample-bytes 9" + show, "HEAPLEDGER_MODE=sampled")
          .out,
      "sampled,9,,\n")
      << "the environment's mode holds where none is given";
}

// What `run` says at the end of a program that left this ledger. The program is
// a shell that puts it there as its own later image.
class RunVerdictTest : public ModesCliTest {
 protected:
  std::string Verdict(LedgerBuilder& builder) {
    static_assert(offsetof(ledger::Header, pid) == 24);
    builder.header().image = 9;
    builder.header().state = static_cast<std::uint32_t>(ledger::State::kExited);
    builder.WriteTo(temp_.Path("left"));
    std::ofstream(temp_.Path("leave.sh"))
        << "to=$HEAPLEDGER_DIR/$$-1.ledger\n"
           "cp "
        << temp_.Path("left")
        << " $to\n"
           "octal=$(printf '\\\\%03o' $(($$ & 255)) $(($$ >> 8 & 255)) "
           "$(($$ >> 16 & 255)) 0)\n"
           "printf \"$octal\" | dd of=$to bs=1 seek=24 conv=notrunc "
           "2>/dev/null\n";
    return Heapledger("run -- sh " + temp_.Path("leave.sh")).err;
  }
};

TEST_F(RunVerdictTest, CallsEstimatesByTheirName) {
  LedgerBuilder builder = Orders();
  SetMode(builder, Mode::kSampled, 65536);
  const std::string err = Verdict(builder);
  EXPECT_NE(err.find("exit status 0; live at exit ~8.0 MiB in ~4,060 objects, "
                     "peak ~9.0 MiB, ~4,070 allocations; estimated from one "
                     "sample per 64.0 KiB on average"),
            std::string::npos)
      << err;
  EXPECT_NE(err.find("~LIVE"), std::string::npos) << err;
}

TEST_F(RunVerdictTest, GivesTheShareOfCutStacks) {
  LedgerBuilder builder = Orders(ledger::kCallsiteCut);
  builder.header().stack_mode =
      static_cast<std::uint32_t>(StackMode::kAdaptive);
  EXPECT_NE(Verdict(builder).find("; 25.0% of the live bytes lack their outer "
                                  "frames (adaptive depth)"),
            std::string::npos);
}

TEST_F(RunVerdictTest, SaysThatNothingWasMeasuredAndHowToArm) {
  LedgerBuilder builder;
  SetMode(builder, Mode::kDormant, 0);
  const std::string err = Verdict(builder);
  EXPECT_NE(err.find("exit status 0; nothing was measured, as it stayed "
                     "dormant; arm such a program while it runs"),
            std::string::npos)
      << err;
  EXPECT_NE(err.find("heapledger: run: next: heapledger arm orders\n"),
            std::string::npos)
      << err;
  EXPECT_EQ(err.find("LIVE"), std::string::npos) << err;
}

// The ledger of this process, which takes what is asked of it if it is told to.
class ControlCliTest : public CliTest {
 protected:
  ControlCliTest() {
    std::string stat = ReadAll("/proc/self/stat");
    std::istringstream fields(stat.substr(stat.rfind(')') + 2));
    std::uint64_t start = 0;
    std::string skipped;
    for (int field = 3; field < 22; ++field) fields >> skipped;
    fields >> start;
    ledger::Header& header = builder_.header();
    header.pid = static_cast<std::uint32_t>(getpid());
    header.start_time_ticks = start;
    std::string boot_id = ReadAll("/proc/sys/kernel/random/boot_id");
    boot_id.pop_back();
    std::snprintf(header.boot_id, sizeof header.boot_id, "%s", boot_id.c_str());
    const std::string exe = std::filesystem::read_symlink("/proc/self/exe");
    std::snprintf(header.exe, sizeof header.exe, "%s", exe.c_str());
    pid_ = std::to_string(getpid());
    path_ = ledgers_ + "/" + pid_ + "-" + std::to_string(start) + ".ledger";
    SetMode(builder_, Mode::kDormant, 0);
  }
  ~ControlCliTest() override { StopTarget(); }

  void Write() {
    builder_.WriteTo(path_);
    chmod(path_.c_str(), 0600);
    const int descriptor = open(path_.c_str(), O_RDWR | O_CLOEXEC);
    void* const page = mmap(nullptr, sizeof(ledger::Header),
                            PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    ASSERT_NE(page, MAP_FAILED);
    header_ = static_cast<ledger::Header*>(page);
  }

  // Acts on the control word as the shim does, or takes it and does nothing.
  enum class Target { kObeys, kRefuses };
  void StartTarget(Target target = Target::kObeys) {
    target_ = std::thread([this, target] {
      while (!stop_) {
        const std::uint64_t asked = header_->control.exchange(0);
        const auto has = [asked](Control bit) {
          return (asked & static_cast<std::uint64_t>(bit)) != 0;
        };
        taken_ |= asked;
        if (target == Target::kObeys) {
          if (has(Control::kArm)) {
            header_->mode = static_cast<std::uint32_t>(Mode::kExact);
          }
          if (has(Control::kDisarm)) {
            header_->mode = static_cast<std::uint32_t>(Mode::kDormant);
          }
        }
        if (asked != 0) ++header_->control_ack;
        usleep(1000);
      }
    });
  }
  void StopTarget() {
    stop_ = true;
    if (target_.joinable()) target_.join();
  }

  LedgerBuilder builder_;
  ledger::Header* header_ = nullptr;
  std::string pid_;
  std::string path_;
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> taken_{0};
  std::thread target_;
};

TEST_F(ControlCliTest, ArmsAndDisarmsARunningProgram) {
  Write();
  StartTarget();
  const Outcome armed = Heapledger("arm " + pid_);
  EXPECT_EQ(armed.status, 0) << armed.err;
  EXPECT_EQ(armed.out, "modes_cli_test (pid " + pid_ +
                           "): armed (exact); read it with heapledger report " +
                           pid_ + "\n");
  const Outcome again = Heapledger("arm modes_cli_test --json");
  EXPECT_EQ(json::parse(again.out)["result"], "already");
  const Outcome disarmed = Heapledger("disarm " + pid_ + " --json");
  EXPECT_EQ(disarmed.status, 0) << disarmed.err;
  EXPECT_EQ(json::parse(disarmed.out), json({{"pid", getpid()},
                                             {"program", "modes_cli_test"},
                                             {"result", "disarmed"},
                                             {"mode", "dormant"}}));
  EXPECT_EQ(json::parse(Heapledger("disarm " + pid_ + " --json").out)["result"],
            "already");
}

TEST_F(ControlCliTest, SaysWhenTheProgramHasYetToAllocate) {
  Write();
  const Outcome pending = Heapledger("arm " + pid_);
  EXPECT_EQ(pending.status, 0) << pending.err;
  EXPECT_EQ(pending.out, "modes_cli_test (pid " + pid_ +
                             "): armed, will take effect at the program's next "
                             "allocation\n");
  EXPECT_EQ(header_->control, static_cast<std::uint64_t>(Control::kArm));
  EXPECT_EQ(json::parse(Heapledger("disarm " + pid_ + " --json").out)["result"],
            "pending");
  EXPECT_EQ(header_->control, static_cast<std::uint64_t>(Control::kDisarm))
      << "what was not taken yet is withdrawn";
}

TEST_F(ControlCliTest, AsksForFullStacksOnlyWhereTheyAreAdaptive) {
  SetMode(builder_, Mode::kExact, 0);
  Write();
  const Outcome refused = Heapledger("arm " + pid_ + " --full-stacks");
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("refused: it takes full stacks"),
            std::string::npos)
      << refused.err;
  header_->stack_mode = static_cast<std::uint32_t>(StackMode::kAdaptive);
  StartTarget();
  EXPECT_EQ(Heapledger("arm " + pid_ + " --full-stacks").status, 0);
  EXPECT_EQ(taken_, static_cast<std::uint64_t>(Control::kFullStacks))
      << "it measures already: nothing to arm";
}

TEST_F(ControlCliTest, SaysWhyARequestWasRefused) {
  Write();
  StartTarget(Target::kRefuses);
  const Outcome stays = Heapledger("arm " + pid_ + " --json");
  EXPECT_EQ(stays.status, 1);
  EXPECT_EQ(json::parse(stays.out)["result"], "refused");
  EXPECT_NE(stays.err.find("took the request and is still dormant"),
            std::string::npos)
      << stays.err;
  header_->state = static_cast<std::uint32_t>(ledger::State::kOff);
  header_->off_reason =
      static_cast<std::uint32_t>(ledger::OffReason::kFileSizeLimit);
  const Outcome off = Heapledger("arm " + pid_);
  EXPECT_EQ(off.status, 1);
  EXPECT_NE(off.err.find("file size limit"), std::string::npos) << off.err;
}

TEST_F(ControlCliTest, AsksNoDeadProgramAndNoneOfTwo) {
  LedgerBuilder dead = Orders();
  dead.WriteTo(ledgers_ + "/4242-987654.ledger");
  const Outcome gone = Heapledger("arm orders");
  EXPECT_EQ(gone.status, 1);
  EXPECT_NE(gone.err.find("does not run any more"), std::string::npos);
  EXPECT_EQ(Heapledger("arm 999999999").status, 1);
  Write();
  std::filesystem::create_directory(ledgers_ + "/run-1-1");
  chmod((ledgers_ + "/run-1-1").c_str(), 0700);
  std::filesystem::copy(path_, ledgers_ + "/run-1-1");
  const Outcome two = Heapledger("arm " + pid_);
  EXPECT_EQ(two.status, 1);
  EXPECT_NE(two.err.find("fits 2 running programs"), std::string::npos)
      << two.err;
}

TEST_F(ControlCliTest, WritesToNoLedgerThatOthersMayWriteTo) {
  Write();
  chmod(path_.c_str(), 0666);
  const Outcome outcome = Heapledger("arm " + pid_);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.err.find("its mode is not 0600"), std::string::npos)
      << outcome.err;
  EXPECT_EQ(header_->control, 0U);
}

}  // namespace
}  // namespace heapledger
