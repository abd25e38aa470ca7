// SPDX-License-Identifier: Apache-2.0
// The lines above a report's table: who, how measured, how much, what is amiss.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "collector/cli/mode_words.h"
#include "collector/cli/output.h"
#include "collector/cli/report_view.h"

namespace heapledger::collector::cli {
namespace {

std::string FigureLines(const Report& report) {
  const LedgerSnapshot& snapshot = *report.snapshot;
  const HeapCounters& totals = snapshot.totals;
  const std::string about = AboutSign(snapshot);
  const auto bytes = [&about](std::uint64_t n) {
    return about + HumanBytes(n);
  };
  const auto count = [&about](std::uint64_t n) {
    return about + HumanCount(n);
  };
  std::string text = absl::StrCat(
      "live ", bytes(totals.live_bytes()), " in ", count(totals.live_objects()),
      " objects, peak ", bytes(snapshot.peak_live_bytes));
  if (report.growth) {
    absl::StrAppend(&text, ", growth ", about, HumanRate(*report.growth));
  }
  absl::StrAppend(&text, "\nallocated ", bytes(totals.allocated_bytes), " in ",
                  count(totals.allocated_objects), " allocations, freed ",
                  bytes(totals.freed_bytes), " in ",
                  count(totals.freed_objects), " frees\n");
  if (totals.inherited_objects != 0) {
    absl::StrAppend(&text, "inherited ", bytes(totals.inherited_bytes), " in ",
                    count(totals.inherited_objects), " objects at the fork\n");
  }
  return text;
}

// "12 × stacks deeper than --max-depth were cut; …"
std::string DegradedLine(const LedgerSnapshot& snapshot) {
  std::vector<std::string> parts;
  for (std::size_t kind = 0; kind < kDegradedKinds; ++kind) {
    const std::uint64_t count = snapshot.degraded[kind];
    if (count == 0) continue;
    parts.push_back(absl::StrCat(HumanCount(count), " × ", DegradedText(kind)));
  }
  if (PythonFramesRefused(snapshot.python_state)) {
    parts.push_back(absl::StrCat("no frames of Python ",
                                 PythonVersionText(snapshot.python_version),
                                 ": ", PythonStateText(snapshot.python_state)));
  }
  if (snapshot.corrupt_records != 0) {
    parts.push_back(absl::StrCat(HumanCount(snapshot.corrupt_records),
                                 " × records of the ledger made no sense"));
  }
  return absl::StrJoin(parts, "; ");
}

std::string UnmeasuredLine(const std::vector<UnmeasuredProcess>& processes) {
  std::vector<std::string> parts;
  for (const UnmeasuredProcess& process : processes) {
    parts.push_back(
        absl::StrCat("pid ", process.pid, process.program.empty() ? "" : " ",
                     Printable(process.program), " (",
                     process.off_reason ? OffReasonText(*process.off_reason)
                                        : "no reason given",
                     ")"));
  }
  return absl::StrJoin(parts, "; ");
}

}  // namespace

std::string ReportHeader(const Report& report) {
  const LedgerSnapshot& snapshot = *report.snapshot;
  std::string text = absl::StrCat(
      Printable(snapshot.identity.Program()), "  pid ", snapshot.identity.pid,
      "  ", std::string(StateWord(snapshot.state)), "  ",
      std::string(ModeWord(snapshot.mode)), ", ", StacksText(snapshot), "\n");
  if (!snapshot.never_armed()) absl::StrAppend(&text, FigureLines(report));
  if (report.memory) {
    absl::StrAppend(&text, MemoryLines(snapshot, *report.memory));
  }
  absl::StrAppend(&text, ModeLines(snapshot));
  if (snapshot.state == ProcessState::kOff) {
    absl::StrAppend(&text, "off: ", OffReasonText(snapshot.off_reason), "; ",
                    OffReasonRemedy(snapshot.off_reason), "\n");
  }
  if (const std::string line = DegradedLine(snapshot); !line.empty()) {
    absl::StrAppend(&text, "degraded: ", line, "\n");
  }
  if (const std::string line = UnmeasuredLine(report.unmeasured);
      !line.empty()) {
    absl::StrAppend(&text, "not measured: ", line, "\n");
  }
  return text;
}

}  // namespace heapledger::collector::cli
