// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/trim_request.h"

#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "collector/cli/find_ledger.h"
#include "collector/cli/output.h"
#include "collector/shm/control_word.h"
#include "collector/shm/ledger_reader.h"
#include "collector/shm/process_identity.h"

namespace heapledger::collector::cli {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kPoll{5};
// A trim that has begun is waited for: it may take seconds on a large heap.
constexpr std::chrono::seconds kLongestTrim{60};

std::string DurationText(std::chrono::nanoseconds duration) {
  if (duration < milliseconds(1)) return "under 1ms";
  return absl::FormatDuration(
      absl::Trunc(absl::FromChrono(duration), absl::Milliseconds(1)));
}

enum class Taken { kNo, kYes };

absl::Status NoAnswer(const std::string& program, Taken taken,
                      milliseconds patience) {
  if (taken == Taken::kYes) {
    return absl::DeadlineExceededError(
        absl::StrCat(program, " took the request and is at it for ",
                     DurationText(kLongestTrim),
                     "; see heapledger report for the outcome later"));
  }
  return absl::UnavailableError(absl::StrCat(
      program, " has not allocated for ", DurationText(patience),
      " and takes requests when it does; it will be trimmed then, wait longer "
      "with --timeout for the outcome"));
}

}  // namespace

absl::StatusOr<TrimAnswer> AskForTrim(const std::string& what,
                                      const DiscoveryOptions& discovery,
                                      milliseconds patience) {
  const auto ledger = FindLiveLedger(discovery, what);
  if (!ledger.ok()) return ledger.status();
  const LedgerIdentity& who = ledger->snapshot->identity;
  const std::string program =
      absl::StrCat(Printable(who.Program()), " (pid ", who.pid, ")");
  auto reader = LedgerReader::Open(ledger->snapshot->path);
  if (!reader.ok()) return reader.status();
  auto word = ControlWord::Open(ledger->found, who);
  if (!word.ok()) return word.status();
  const TrimFacts before = ledger->snapshot->trim;
  if (absl::Status asked = (*word)->Ask({.trim = true}); !asked.ok()) {
    return asked;
  }
  const Clock::time_point begin = Clock::now();
  for (;;) {
    std::this_thread::sleep_for(kPoll);
    // The control word says in one page when to look at the rest.
    const auto state = (*word)->Look();
    if (!state.ok()) return state.status();
    const auto passed = Clock::now() - begin;
    const bool in_time =
        passed < (state->pending.trim
                      ? std::chrono::duration_cast<Clock::duration>(patience)
                      : kLongestTrim);
    if (state->pending.trim && in_time) {
      if (LivenessOf(discovery.proc_root, who) == Liveness::kAlive) continue;
      return absl::FailedPreconditionError(absl::StrCat(
          program,
          " ended before it was trimmed; read what it left with heapledger "
          "report ",
          who.pid));
    }
    const auto snapshot = (*reader)->Take();
    if (!snapshot.ok()) return snapshot.status();
    const TrimFacts& trim = snapshot->trim;
    if (!trim.torn && trim.trims != before.trims) {
      return TrimAnswer{who, snapshot->allocator, trim};
    }
    if (trim.refused != before.refused) {
      return absl::FailedPreconditionError(absl::StrCat(
          program,
          " was not trimmed: ", std::string(TrimRefusalText(trim.last_refusal)),
          trim.last_refusal == TrimResult::kSealed
              ? "; what it holds can be had back by a restart alone"
              : "; ask again in a moment"));
    }
    if (!in_time) {
      return NoAnswer(program, state->pending.trim ? Taken::kNo : Taken::kYes,
                      patience);
    }
    if (LivenessOf(discovery.proc_root, who) != Liveness::kAlive) {
      return absl::FailedPreconditionError(
          absl::StrCat(program,
                       " ended while it was trimmed; read what it left with "
                       "heapledger report ",
                       who.pid));
    }
  }
}

std::string TrimSentence(const TrimAnswer& answer) {
  const TrimFacts& trim = answer.trim;
  const std::string took =
      DurationText(std::chrono::nanoseconds(trim.duration_ns));
  if (trim.result == TrimResult::kFailed) {
    return absl::StrCat("its allocator (",
                        std::string(AllocatorWord(answer.allocator)),
                        ") refused to return memory");
  }
  std::string text;
  if (trim.before.resident > trim.after.resident) {
    text = absl::StrCat("returned ",
                        HumanBytes(trim.before.resident - trim.after.resident),
                        " in ", took, ": resident ");
  } else {
    text = absl::StrCat("returned nothing in ", took, ": resident ");
  }
  absl::StrAppend(&text, HumanBytes(trim.before.resident), " before, ",
                  HumanBytes(trim.after.resident), " after");
  if (trim.before.held != 0 || trim.after.held != 0) {
    absl::StrAppend(&text, "; ", std::string(AllocatorWord(answer.allocator)),
                    " had ", HumanBytes(trim.before.held), " (",
                    HumanBytes(trim.before.free), " free), has ",
                    HumanBytes(trim.after.held), " (",
                    HumanBytes(trim.after.free), " free)");
  }
  return text;
}

}  // namespace heapledger::collector::cli
