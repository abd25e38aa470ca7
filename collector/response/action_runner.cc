// SPDX-License-Identifier: Apache-2.0
#include "collector/response/action_runner.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "collector/response/cgroup_control.h"
#include "collector/response/hook.h"
#include "collector/response/process_handle.h"
#include "collector/response/units.h"

namespace heapledger::collector::response {
namespace {

// The longest part of a hook's output that a message repeats.
constexpr std::size_t kMaxQuoted = 200;

Outcome Done(std::string message) {
  return {.ending = Ending::kDone, .message = std::move(message)};
}

Outcome Refused(std::string message) {
  return {.ending = Ending::kRefused, .message = std::move(message)};
}

// Another try helps only where it was not a matter of principle.
Outcome Failure(const absl::Status& status) {
  const bool refused =
      absl::IsFailedPrecondition(status) || absl::IsUnimplemented(status) ||
      absl::IsPermissionDenied(status) || absl::IsNotFound(status) ||
      absl::IsInvalidArgument(status);
  return {.ending = refused                            ? Ending::kRefused
                    : absl::IsDeadlineExceeded(status) ? Ending::kTimedOut
                                                       : Ending::kFailed,
          .message = std::string(status.message())};
}

Outcome Changed(Outcome outcome, std::string token) {
  outcome.changed = true;
  outcome.token = std::move(token);
  return outcome;
}

std::string Variable(const char* name, std::string_view value) {
  // A value comes from the program: no zero byte can be in it, a line end may.
  std::string text = absl::StrCat("HEAPLEDGER_", name, "=", std::string(value));
  std::ranges::replace(text, '\0', '?');
  return text;
}

std::string FirstLine(const HookEnd& end) {
  std::string line = end.output.substr(0, end.output.find('\n'));
  if (line.size() > kMaxQuoted) line.resize(kMaxQuoted);
  return line.empty() ? "" : absl::StrCat("; it said: ", line);
}

// Whether a mask of /proc/PID/status (SigCgt, SigIgn) has the signal.
bool MaskHas(std::string_view status, std::string_view name, int number) {
  const std::size_t at = status.find(name);
  if (at == std::string_view::npos) return false;
  const std::string_view rest = status.substr(at + name.size());
  std::uint64_t mask = 0;
  const std::string text(absl::StripAsciiWhitespace(
      absl::string_view(rest.data(), std::min(rest.find('\n'), rest.size()))));
  return absl::SimpleHexAtoi(text, &mask) && (mask >> (number - 1) & 1) != 0;
}

struct Runner {
  const Order& order;
  TargetControl& control;

  [[nodiscard]] bool undo() const { return order.step == Step::kUndo; }

  Outcome operator()(const SnapshotAction& kind) const {
    const auto file =
        control.Snapshot(order.target, kind.file, order.bytes_left);
    if (!file.ok()) return Failure(file.status());
    Outcome outcome = Done(
        absl::StrCat("wrote ", file->path, " (", BytesText(file->bytes), ")"));
    outcome.bytes = file->bytes;
    return outcome;
  }

  Outcome operator()(const MarkAction&) const {
    const auto name = control.Mark(order.target, order.action.level);
    if (!name.ok()) return Failure(name.status());
    return Done(absl::StrCat("set mark ", *name));
  }

  Outcome operator()(const TrimAction&) const {
    const auto said = control.Trim(order.target, order.action.timeout);
    if (!said.ok()) return Failure(said.status());
    return Done(*said);
  }

  Outcome operator()(const CallbacksAction&) const {
    const auto said = control.TellPressure(order.target, order.level);
    if (!said.ok()) return Failure(said.status());
    return Changed(Done(*said), "");
  }

  Outcome operator()(const SignalAction& kind) const {
    const auto process = ProcessHandle::Open(order.target.key);
    if (!process.ok()) return Failure(process.status());
    const int number = undo() ? kind.undo : kind.number;
    const std::string name = absl::StrCat("SIG", sigabbrev_np(number));
    const auto status = process->Read("status");
    if (!status.ok()) return Failure(status.status());
    // WINCH and URG do nothing to who does not handle them.
    const bool harmless = number == SIGWINCH || number == SIGURG;
    if (!harmless && !MaskHas(*status, "SigCgt:", number) &&
        !MaskHas(*status, "SigIgn:", number)) {
      return Refused(
          absl::StrCat("it has no handler for ", name, ", which would end it"));
    }
    if (absl::Status ok = process->Signal(number); !ok.ok()) return Failure(ok);
    return Changed(Done("sent " + name), "");
  }

  Outcome operator()(const ExecAction& kind) const {
    HookRequest request;
    request.command = undo() ? kind.undo : kind.command;
    request.environment = HookEnvironment(order);
    request.timeout = order.action.timeout;
    request.max_output = kind.max_output;
    const auto end = RunHook(request);
    if (!end.ok()) return Failure(end.status());
    Outcome outcome;
    if (end->timed_out) {
      outcome = {
          .ending = Ending::kTimedOut,
          .message = absl::StrCat("it was killed after ",
                                  SpanText(request.timeout), FirstLine(*end))};
    } else if (end->status != 0) {
      outcome = {.ending = Ending::kFailed,
                 .message = absl::StrCat("it ended with status ", end->status,
                                         FirstLine(*end))};
    } else {
      outcome = Done(absl::StrCat("it ended well", FirstLine(*end)));
    }
    // It ran: nobody knows what it has changed already.
    return Changed(std::move(outcome), "");
  }

  Outcome operator()(const MemoryHighAction& kind) const {
    if (undo()) {
      if (absl::Status ok = CgroupControl::RestoreHigh(order.token); !ok.ok()) {
        return Failure(ok);
      }
      return Done("");
    }
    const auto group = Group();
    if (!group.ok()) return Failure(group.status());
    auto token = group->SetHigh(kind);
    if (!token.ok()) return Failure(token.status());
    return Changed(Done("limited " + group->place().name), *std::move(token));
  }

  Outcome operator()(const ReclaimAction& kind) const {
    const auto group = Group();
    if (!group.ok()) return Failure(group.status());
    const auto asked = group->Reclaim(kind);
    if (!asked.ok()) return Failure(asked.status());
    return Done(absl::StrCat("asked for ",
                             *asked ? BytesText(**asked) : "all that there is",
                             " of ", group->place().name));
  }

  Outcome operator()(const OomScoreAction& kind) const {
    const auto process = ProcessHandle::Open(order.target.key);
    if (!process.ok()) {
      // With the process its score is gone.
      if (undo() && absl::IsNotFound(process.status())) return Done("");
      return Failure(process.status());
    }
    auto before = process->Read("oom_score_adj");
    if (!before.ok()) return Failure(before.status());
    while (before->ends_with('\n')) before->pop_back();
    const std::string ours = absl::StrCat(kind.score);
    if (undo()) {
      // Somebody else has changed it since: then it is theirs.
      if (*before != ours) return Done("somebody else has set it since");
      const absl::Status ok = process->Write("oom_score_adj", order.token);
      return ok.ok() ? Done("") : Failure(ok);
    }
    int score = 0;
    if (absl::SimpleAtoi(*before, &score) && score >= kind.score) {
      return Refused(absl::StrCat("its score is ", score, " already"));
    }
    if (absl::Status ok = process->Write("oom_score_adj", ours); !ok.ok()) {
      return Failure(ok);
    }
    return Changed(Done(absl::StrCat("raised from ", *before, " to ", ours)),
                   *before);
  }

  Outcome operator()(const StopAction& kind) const {
    if (order.target.key.pid == 1 ||
        order.target.key.pid == static_cast<std::uint32_t>(::getpid())) {
      return Refused("it is the collector itself, or what started all others");
    }
    const auto process = ProcessHandle::Open(order.target.key);
    if (!process.ok()) return Failure(process.status());
    if (absl::Status ok = process->Signal(SIGTERM); !ok.ok()) {
      return Failure(ok);
    }
    const auto wait = [&process](Duration patience) {
      return process->WaitForEnd(
          std::chrono::ceil<std::chrono::milliseconds>(patience));
    };
    if (wait(kind.grace)) return Done("it ended when asked to");
    const std::string still =
        absl::StrCat("it runs ", SpanText(kind.grace), " after SIGTERM still");
    if (!kind.kill) {
      return {.ending = Ending::kTimedOut,
              .message = still + "; kill: yes would end it"};
    }
    if (absl::Status ok = process->Signal(SIGKILL); !ok.ok()) {
      return Failure(ok);
    }
    if (wait(order.action.timeout)) return Done(still + " and was killed");
    return {.ending = Ending::kTimedOut,
            .message = still + ", and after SIGKILL, too"};
  }

 private:
  [[nodiscard]] absl::StatusOr<CgroupControl> Group() const {
    const auto process = ProcessHandle::Open(order.target.key);
    if (!process.ok()) return process.status();
    const auto membership = process->Read("cgroup");
    if (!membership.ok()) return membership.status();
    return CgroupControl::Of(*membership);
  }
};

}  // namespace

std::vector<std::string> HookEnvironment(const Order& order) {
  const Reading& reading = order.reading;
  return {
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      Variable("EVENT", order.step == Step::kUndo ? "undo" : "do"),
      Variable("PID", absl::StrCat(order.target.key.pid)),
      Variable("PROCESS", order.target.process),
      Variable("EXE", order.target.exe),
      Variable("CGROUP", order.target.cgroup),
      Variable("RULE", order.rule),
      Variable("ACTION", order.action.name),
      Variable("LEVEL", LevelWord(order.level)),
      Variable("ACTION_LEVEL", LevelWord(order.action.level)),
      Variable("WHY", order.why),
      Variable("USED_BYTES", absl::StrCat(reading.used_bytes)),
      Variable("LIMIT_BYTES", reading.limit_bytes == 0
                                  ? ""
                                  : absl::StrCat(reading.limit_bytes)),
      Variable("LIVE_BYTES",
               reading.live_bytes ? absl::StrCat(*reading.live_bytes) : "")};
}

Outcome ActionRunner::Run(const Order& order) const {
  return std::visit(Runner{order, *control_}, order.action.kind);
}

}  // namespace heapledger::collector::response
