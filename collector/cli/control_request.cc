// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/control_request.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <thread>

#include "absl/strings/str_cat.h"
#include "collector/cli/find_ledger.h"
#include "collector/cli/output.h"
#include "collector/cli/report_json.h"
#include "collector/cli/verb.h"
#include "collector/shm/process_identity.h"

namespace heapledger::collector::cli {
namespace {

using Clock = std::chrono::steady_clock;

// A program that allocates at all does so within this time, most likely.
constexpr std::chrono::seconds kPatience{2};
constexpr std::chrono::milliseconds kPoll{2};

struct Answer {
  enum class Kind {
    kDone,
    kAlready,
    kPending,  // taken at the program's next allocation
    kRefused,
  };
  Kind kind = Kind::kRefused;
  MeasureMode mode = MeasureMode::kUnknown;
  std::string why;  // of a refusal
};

bool Fulfilled(const ControlRequest& request, MeasureMode mode) {
  if (request.arm) return mode != MeasureMode::kDormant;
  if (request.disarm) return mode == MeasureMode::kDormant;
  return true;
}

// Whether the program took it; what others ask meanwhile is none of ours.
bool Taken(const ControlRequest& request, const ControlState& state,
           std::uint64_t acknowledged_before) {
  return state.acknowledged != acknowledged_before &&
         !(request.arm && state.pending.arm) &&
         !(request.disarm && state.pending.disarm) &&
         !(request.full_stacks && state.pending.full_stacks);
}

bool Ended(ProcessState state) {
  return state != ProcessState::kLive && state != ProcessState::kStarting;
}

absl::StatusOr<Answer> Await(const ControlWord& word,
                             const ControlRequest& request,
                             std::uint64_t acknowledged_before) {
  const Clock::time_point deadline = Clock::now() + kPatience;
  for (;;) {
    const auto state = word.Look();
    if (!state.ok()) return state.status();
    Answer answer{Answer::Kind::kDone, state->mode, ""};
    const bool taken = Taken(request, *state, acknowledged_before);
    if (taken && Fulfilled(request, state->mode)) return answer;
    if (Ended(state->state) || Clock::now() >= deadline) {
      answer.kind = taken || Ended(state->state) ? Answer::Kind::kRefused
                                                 : Answer::Kind::kPending;
      if (state->state == ProcessState::kOff) {
        answer.why = absl::StrCat(
            "it stopped measuring: ", OffReasonText(state->off_reason), "; ",
            OffReasonRemedy(state->off_reason));
      } else if (Ended(state->state)) {
        answer.why = "it ended before it took the request";
      } else if (taken) {
        answer.why =
            absl::StrCat("it took the request and is still ",
                         std::string(ModeWord(state->mode)),
                         "; use the heapledger that belongs to the shim");
      }
      return answer;
    }
    std::this_thread::sleep_for(kPoll);
  }
}

absl::StatusOr<Answer> Ask(const LiveLedger& ledger, ControlRequest request,
                           const DiscoveryOptions& options) {
  const LedgerSnapshot& snapshot = *ledger.snapshot;
  if (request.full_stacks && snapshot.stack_detail != StackDetail::kAdaptive) {
    return Answer{
        Answer::Kind::kRefused, snapshot.mode,
        absl::StrCat("it takes ", std::string(StackWord(snapshot.stack_detail)),
                     " stacks, and --full-stacks is for adaptive "
                     "ones")};
  }
  auto word = ControlWord::Open(ledger.found, snapshot.identity);
  if (!word.ok()) return word.status();
  const auto before = (*word)->Look();
  if (!before.ok()) return before.status();
  const bool opposite_pending =
      request.arm ? before->pending.disarm : before->pending.arm;
  if (Fulfilled(request, before->mode) && !opposite_pending) {
    // A request for stacks alone: arming again would change nothing.
    request.arm = false;
    if (!request.full_stacks) {
      return Answer{Answer::Kind::kAlready, before->mode, ""};
    }
  }
  if (const absl::Status asked = (*word)->Ask(request); !asked.ok()) {
    return asked;
  }
  auto answer = Await(**word, request, before->acknowledged);
  if (answer.ok() && answer->kind == Answer::Kind::kPending &&
      LivenessOf(options.proc_root, snapshot.identity) != Liveness::kAlive) {
    answer->kind = Answer::Kind::kRefused;
    answer->why = "it ended before it took the request";
  }
  return answer;
}

const char* Word(Answer::Kind kind, const ControlRequest& request) {
  switch (kind) {
    case Answer::Kind::kDone:
      return request.arm ? "armed" : "disarmed";
    case Answer::Kind::kAlready:
      return "already";
    case Answer::Kind::kPending:
      return "pending";
    case Answer::Kind::kRefused:
      break;
  }
  return "refused";
}

std::string Sentence(const Answer& answer, const ControlRequest& request,
                     std::uint32_t pid) {
  const std::string done =
      absl::StrCat(request.arm ? "armed" : "disarmed",
                   request.full_stacks ? ", with every stack in full" : "");
  switch (answer.kind) {
    case Answer::Kind::kDone:
      return request.arm
                 ? absl::StrCat(done, " (", std::string(ModeWord(answer.mode)),
                                "); read it with heapledger report ", pid)
                 : absl::StrCat(done,
                                "; blocks booked before are followed "
                                "until they are freed");
    case Answer::Kind::kAlready:
      return absl::StrCat("already ", done, " (",
                          std::string(ModeWord(answer.mode)), ")");
    case Answer::Kind::kPending:
      return absl::StrCat(done,
                          ", will take effect at the program's next "
                          "allocation");
    case Answer::Kind::kRefused:
      break;
  }
  return absl::StrCat("refused: ", answer.why);
}

}  // namespace

void AddControlOptions(CLI::App& app, ControlArguments& arguments) {
  app.add_option("PID|NAME", arguments.what, "A pid or a program's name")
      ->required();
  app.add_flag("--json", arguments.json, "As JSON");
  app.add_option("--dir", arguments.directory, "Look in this directory")
      ->type_name("DIR");
}

int AskProgram(std::string_view verb, const ControlRequest& request,
               const ControlArguments& arguments, bool quiet) {
  const DiscoveryOptions options = DiscoveryFor(arguments.directory);
  const auto ledger = FindLiveLedger(options, arguments.what);
  if (!ledger.ok()) return Fail(verb, std::string(ledger.status().message()));
  const auto answer = Ask(*ledger, request, options);
  if (!answer.ok()) return Fail(verb, std::string(answer.status().message()));
  const LedgerIdentity& who = ledger->snapshot->identity;
  const bool refused = answer->kind == Answer::Kind::kRefused;
  const std::string sentence =
      absl::StrCat(Printable(who.Program()), " (pid ", who.pid,
                   "): ", Sentence(*answer, request, who.pid));
  if (arguments.json) {
    nlohmann::ordered_json json;
    json["pid"] = who.pid;
    json["program"] = who.Program();
    json["result"] = Word(answer->kind, request);
    json["mode"] = std::string(ModeWord(answer->mode));
    if (refused) json["reason"] = answer->why;
    std::fputs(JsonText(json).c_str(), stdout);
  } else if (!refused && !quiet) {
    std::printf("%s\n", sentence.c_str());
  }
  return refused ? Fail(verb, sentence) : kDone;
}

}  // namespace heapledger::collector::cli
