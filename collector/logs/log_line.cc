// SPDX-License-Identifier: Apache-2.0
#include "collector/logs/log_line.h"

#include <re2/re2.h>

namespace heapledger::collector::logs {
namespace {

RE2::Options Bytes() {
  RE2::Options options;
  options.set_encoding(RE2::Options::EncodingLatin1);
  return options;
}

const RE2& Number() {
  static const RE2 number(R"((\d+))");
  return number;
}

// "Nov 22 10:00:00 host tag[pid]: ", also with a time as ISO 8601 writes it.
bool TakeSyslogHead(re2::StringPiece* rest, LogLine* line) {
  static const RE2 kHead(
      R"(^(?:<\d{1,3}>)?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|)"
      R"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[^ ]*) [^ ]+ )"
      R"(([^\s:\[\]]{1,64})(?:\[(\d{1,9})\])?: ?)",
      Bytes());
  re2::StringPiece program;
  re2::StringPiece pid;
  if (!RE2::Consume(rest, kHead, &program, &pid)) return false;
  line->program = program;
  if (!pid.empty()) (void)RE2::FullMatch(pid, Number(), &line->pid);
  return true;
}

bool TakeRfc5424Head(re2::StringPiece* rest, LogLine* line) {
  static const RE2 kHead(
      R"(^<\d{1,3}>1 [^ ]+ [^ ]+ ([^ ]{1,64}) (?:(\d{1,9})|[^ ]+) [^ ]+ )"
      R"((?:-|\[.*?\]) ?)",
      Bytes());
  re2::StringPiece program;
  re2::StringPiece pid;
  if (!RE2::Consume(rest, kHead, &program, &pid)) return false;
  line->program = program;
  if (!pid.empty()) (void)RE2::FullMatch(pid, Number(), &line->pid);
  return true;
}

// "[  123.456789] " with a caller or not, and dmesg -T's time.
bool TakeDmesgHead(re2::StringPiece* rest) {
  static const RE2 kHead(
      R"(^\[(?: *\d+\.\d+|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4})\])"
      R"((?:\[ *[TC]\d+\])? )",
      Bytes());
  return RE2::Consume(rest, kHead);
}

// What a program writes to the kernel's log has its name before it, as has
// journalctl -o short-monotonic: "systemd[1]: ". The kernel's own words may
// begin with a name, too, but with none that has a pid.
bool TakeWriter(re2::StringPiece* rest, LogLine* line) {
  static const RE2 kHead(R"(^([^\s:\[\]]{1,64})\[(\d{1,9})\]: )", Bytes());
  re2::StringPiece program;
  if (!RE2::Consume(rest, kHead, &program, &line->pid)) return false;
  line->program = program;
  return true;
}

void TakeKernelWord(re2::StringPiece* rest) {
  static const RE2 kKernel(R"(^kernel: )", Bytes());
  (void)RE2::Consume(rest, kKernel);
}

// "2026-11-22T10:00:00.1Z stderr F ", what Kubernetes puts before a line, and
// the object that Docker wraps it in. Escapes stay as they are.
void TakeContainerHead(re2::StringPiece* rest) {
  static const RE2 kHead(R"(^\d{4}-\d\d-\d\dT[^ ]{8,40} std(?:out|err) [FP] )",
                         Bytes());
  static const RE2 kDocker(R"(^\{"log":"(.*?)(?:\\n)?","stream":)", Bytes());
  re2::StringPiece log;
  if (RE2::PartialMatch(*rest, kDocker, &log)) {
    *rest = log;
    return;
  }
  (void)RE2::Consume(rest, kHead);
}

// A program's own time before its words, as far as nobody can take it for
// another's: "2026-11-22 10:00:00.123 UTC [42] ".
void TakeTime(re2::StringPiece* rest) {
  static const RE2 kHead(
      R"(^\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d[^ ]*(?: [A-Z]{3,4})?)"
      R"((?: \[\d+\])? )",
      Bytes());
  (void)RE2::Consume(rest, kHead);
}

}  // namespace

LogLine ParseLine(std::string_view text) {
  LogLine line;
  re2::StringPiece rest(text.data(), text.size());
  if (text.empty()) return line;
  TakeContainerHead(&rest);
  const bool named =
      TakeSyslogHead(&rest, &line) || TakeRfc5424Head(&rest, &line);
  if (named) {
    // syslogd may keep the kernel's own time.
    if (line.program == "kernel") (void)TakeDmesgHead(&rest);
  } else if (TakeDmesgHead(&rest)) {
    if (!TakeWriter(&rest, &line)) {
      TakeKernelWord(&rest);
      line.program = "kernel";
    }
  } else {
    TakeTime(&rest);
  }
  line.text = rest;
  return line;
}

LogLine ParseWriter(std::string_view text) {
  LogLine line;
  re2::StringPiece rest(text.data(), text.size());
  if (!TakeWriter(&rest, &line)) line.program = "user";
  line.text = rest;
  return line;
}

}  // namespace heapledger::collector::logs
