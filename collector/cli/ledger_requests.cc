// SPDX-License-Identifier: Apache-2.0
// What is asked of the program itself: the part of ledger_control.h that goes
// through the control word.
#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "collector/cli/ledger_control.h"
#include "collector/cli/output.h"
#include "collector/shm/control_word.h"

namespace heapledger::collector::cli {
namespace {

using Clock = std::chrono::steady_clock;
using response::Level;
using response::Target;

constexpr std::chrono::milliseconds kPoll{10};
// A program that allocates at all has taken a request by then.
constexpr std::chrono::seconds kLongest{5};

PressureLevel PressureOf(Level level) {
  switch (level) {
    case Level::kLow:
      return PressureLevel::kLow;
    case Level::kMedium:
      return PressureLevel::kMedium;
    case Level::kHigh:
      return PressureLevel::kHigh;
    case Level::kCritical:
      return PressureLevel::kCritical;
    case Level::kNone:
      break;
  }
  return PressureLevel::kOver;
}

// Whether the program took the request for a trim within `patience`.
bool WaitUntilTaken(const ControlWord& word, response::Duration patience) {
  const auto deadline =
      Clock::now() + std::min<response::Duration>(patience / 2, kLongest);
  while (Clock::now() < deadline) {
    const auto state = word.Look();
    if (!state.ok()) return false;
    if (!state->pending.trim) return true;
    std::this_thread::sleep_for(kPoll);
  }
  return false;
}

std::string TrimText(const TrimFacts& trim) {
  std::string text =
      absl::StrCat("trimmed: ", std::string(TrimResultWord(trim.result)));
  if (trim.before.resident > trim.after.resident) {
    absl::StrAppend(&text, ", ",
                    HumanBytes(trim.before.resident - trim.after.resident),
                    " less resident");
  }
  return text;
}

}  // namespace

absl::StatusOr<std::string> LedgerControl::Trim(const Target& target,
                                                response::Duration patience) {
  const auto ledger = Find(target);
  if (!ledger.ok()) return ledger.status();
  const TrimFacts before = ledger->snapshot->trim;
  const auto word =
      ControlWord::Open(ledger->found, ledger->snapshot->identity);
  if (!word.ok()) return word.status();
  ControlRequest request;
  request.trim = true;
  request.trim_by = TrimAsker::kCollector;
  if (absl::Status ok = (*word)->Ask(request); !ok.ok()) return ok;
  if (!WaitUntilTaken(**word, patience)) {
    return std::string("asked for; the program follows at its next allocation");
  }
  // A trim takes its time after it was taken.
  const auto deadline = Clock::now() + patience / 2;
  for (;;) {
    const auto now = Find(target);
    if (!now.ok()) return now.status();
    const TrimFacts& trim = now->snapshot->trim;
    if (trim.trims != before.trims && !trim.torn) return TrimText(trim);
    if (trim.refused != before.refused) {
      return absl::FailedPreconditionError(
          std::string(TrimRefusalText(trim.last_refusal)));
    }
    if (Clock::now() >= deadline) {
      return std::string("the program is at it still");
    }
    std::this_thread::sleep_for(5 * kPoll);
  }
}

absl::StatusOr<std::string> LedgerControl::TellPressure(const Target& target,
                                                        Level level) {
  const auto ledger = Find(target);
  if (!ledger.ok()) return ledger.status();
  const PressureFacts& pressure = ledger->snapshot->pressure;
  if (level != Level::kNone && !pressure.listens() &&
      pressure.listeners.empty()) {
    return absl::FailedPreconditionError(
        "it listens to no pressure; see heapledger/pressure.h");
  }
  const auto word =
      ControlWord::Open(ledger->found, ledger->snapshot->identity);
  if (!word.ok()) return word.status();
  ControlRequest request;
  request.pressure = PressureOf(level);
  if (absl::Status ok = (*word)->Ask(request); !ok.ok()) return ok;
  return absl::StrCat("told it of pressure ",
                      std::string(PressureWord(request.pressure)));
}

}  // namespace heapledger::collector::cli
