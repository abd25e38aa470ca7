// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/scan_request.h"

#include <chrono>
#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "collector/cli/find_ledger.h"
#include "collector/cli/output.h"
#include "collector/ledger/utc_time.h"
#include "collector/shm/control_word.h"
#include "collector/shm/ledger_reader.h"
#include "collector/shm/process_identity.h"

namespace heapledger::collector::cli {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// A program that allocates at all does so within this time, most likely.
constexpr std::chrono::seconds kPatience{5};
// The shim itself gives up after two minutes.
constexpr std::chrono::seconds kLongestScan{130};
constexpr milliseconds kPoll{20};

absl::StatusOr<std::uint16_t> PauseOf(const std::string& text) {
  if (text.empty()) return 0;
  absl::Duration pause;
  if (!absl::ParseDuration(text, &pause) || pause < absl::Milliseconds(1) ||
      pause > absl::Milliseconds(65535)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--max-pause ", text,
                     " is no time between 1ms and 65s; give one such as 20ms"));
  }
  return static_cast<std::uint16_t>(absl::ToInt64Milliseconds(pause));
}

std::string Remedy(const LiveLeakScan& scan) {
  const std::string word = ScanReasonWord(scan.reason);
  if (word == "pause_too_long" || word == "thread_missed") {
    return absl::StrCat("ask again, or allow more than ", scan.pause_limit_ms,
                        " ms with --max-pause");
  }
  if (word == "not_exact") return "start it with heapledger run";
  if (word == "no_scanner") return "raise its limit of processes";
  return "the evidence of growth needs no scan: leave --scan out";
}

// What came of it, once it is there.
absl::Status Judge(const LiveLeakScan& scan, const std::string& program) {
  if (scan.state == ScanState::kComplete) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(program, " was not scanned: ", ScanReasonText(scan.reason),
                   "; ", Remedy(scan)));
}

}  // namespace

absl::Status AskForScan(const std::string& what,
                        const DiscoveryOptions& discovery,
                        const std::string& max_pause) {
  const auto pause = PauseOf(max_pause);
  if (!pause.ok()) return pause.status();
  const auto ledger = FindLiveLedger(discovery, what);
  if (!ledger.ok()) return ledger.status();
  const LedgerIdentity& who = ledger->snapshot->identity;
  const std::string program =
      absl::StrCat(Printable(who.Program()), " (pid ", who.pid, ")");
  auto reader = LedgerReader::Open(ledger->snapshot->path);
  if (!reader.ok()) return reader.status();
  auto word = ControlWord::Open(ledger->found, who);
  if (!word.ok()) return word.status();
  const auto before = (*word)->Look();
  if (!before.ok()) return before.status();
  ControlRequest request;
  request.scan = true;
  request.pause_limit_ms = *pause;
  const std::uint32_t round = ledger->snapshot->live_scan.round;
  if (absl::Status asked = (*word)->Ask(request); !asked.ok()) return asked;
  const Clock::time_point begin = Clock::now();
  for (;;) {
    std::this_thread::sleep_for(kPoll);
    const auto state = (*word)->Look();
    if (!state.ok()) return state.status();
    const auto snapshot = (*reader)->Take();
    if (!snapshot.ok()) return snapshot.status();
    const LiveLeakScan& scan = snapshot->live_scan;
    const bool taken =
        !state->pending.scan && state->acknowledged != before->acknowledged;
    const bool settled = scan.state == ScanState::kComplete ||
                         scan.state == ScanState::kIncomplete;
    // A refusal has no round of its own.
    if (settled && (scan.round != round ||
                    (taken && scan.state == ScanState::kIncomplete))) {
      return Judge(scan, program);
    }
    if (LivenessOf(discovery.proc_root, who) != Liveness::kAlive) {
      return absl::FailedPreconditionError(
          absl::StrCat(program,
                       " ended before it was scanned; read what it "
                       "left with heapledger report ",
                       who.pid));
    }
    const auto passed = Clock::now() - begin;
    if (taken && scan.state == ScanState::kNotAsked) {
      return absl::UnimplementedError(
          absl::StrCat(program,
                       " took the request and knows no scans; use the "
                       "heapledger that belongs to its shim"));
    }
    if (!taken && passed > kPatience) {
      return absl::UnavailableError(absl::StrCat(
          program, " has not allocated for ", kPatience.count(),
          " s and takes requests when it does; the scan will run then, ask "
          "again for its result"));
    }
    if (passed > kLongestScan) {
      return absl::DeadlineExceededError(absl::StrCat(
          program,
          "'s scan has not ended in time; was its scanning process "
          "stopped or killed? Ask again"));
    }
  }
}

}  // namespace heapledger::collector::cli
