// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/mode_words.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "collector/cli/output.h"
#include "collector/ledger/utc_time.h"

namespace heapledger::collector::cli {
namespace {

std::string Sampling(const LedgerSnapshot& snapshot) {
  return absl::StrCat("one sample per ", HumanBytes(snapshot.sample_bytes),
                      " on average");
}

// "12.5% of the live bytes"; empty where there are none.
std::string CutShare(const LedgerSnapshot& snapshot) {
  const std::uint64_t live = snapshot.totals.live_bytes();
  if (live == 0) return "";
  return absl::StrFormat("%.1f%% of the live bytes",
                         100.0 *
                             static_cast<double>(snapshot.cut.live_bytes()) /
                             static_cast<double>(live));
}

bool MayBeCut(const LedgerSnapshot& snapshot) {
  return snapshot.stack_detail == StackDetail::kAdaptive ||
         snapshot.cut.live_bytes() != 0;
}

// What of a life that was dormant at times is in the books; empty where all.
std::string Coverage(const LedgerSnapshot& snapshot) {
  const bool ever_armed = snapshot.armed_realtime_ns != 0;
  const bool ever_disarmed = snapshot.disarmed_realtime_ns != 0;
  if (!ever_armed && !ever_disarmed) return "";
  const std::string armed = UtcTimeText(snapshot.armed_realtime_ns);
  const std::string disarmed = UtcTimeText(snapshot.disarmed_realtime_ns);
  std::string when = absl::StrCat("armed since ", armed);
  if (snapshot.mode == MeasureMode::kDormant && ever_disarmed) {
    when = ever_armed ? absl::StrCat("armed from ", armed, " to ", disarmed)
                      : absl::StrCat("disarmed since ", disarmed);
  } else if (ever_disarmed) {
    absl::StrAppend(&when, ", disarmed before at ", disarmed);
  }
  return absl::StrCat(when,
                      ": blocks allocated while it was dormant are not in it");
}

}  // namespace

std::string AboutSign(const LedgerSnapshot& snapshot) {
  return snapshot.estimated() ? "~" : "";
}

std::string StacksText(const LedgerSnapshot& snapshot) {
  std::string text =
      absl::StrCat(std::string(StackWord(snapshot.stack_detail)), " stacks");
  if (snapshot.stack_detail == StackDetail::kAdaptive) {
    absl::StrAppend(&text, " (budget ", snapshot.budget_percent, "%)");
  }
  return text;
}

std::string ModeLines(const LedgerSnapshot& snapshot) {
  if (snapshot.never_armed()) {
    return absl::StrCat("dormant: nothing was measured",
                        snapshot.state == ProcessState::kLive
                            ? absl::StrCat("; arm it with heapledger arm ",
                                           snapshot.identity.pid)
                            : "; it was never armed",
                        "\n");
  }
  std::string text;
  if (snapshot.estimated()) {
    absl::StrAppend(&text, "estimates: sampled, ", Sampling(snapshot), "\n");
  }
  if (const std::string coverage = Coverage(snapshot); !coverage.empty()) {
    absl::StrAppend(&text, coverage, "\n");
  }
  if (const std::string share = CutShare(snapshot);
      MayBeCut(snapshot) && !share.empty()) {
    absl::StrAppend(&text, "cut stacks: ", share,
                    " lack their outer frames, left out by adaptive depth\n");
  }
  return text;
}

std::string ModeRemarks(const LedgerSnapshot& snapshot) {
  std::string text;
  if (snapshot.estimated()) {
    absl::StrAppend(&text, "; estimated from ", Sampling(snapshot));
  }
  if (const std::string coverage = Coverage(snapshot); !coverage.empty()) {
    absl::StrAppend(&text, "; ", coverage);
  }
  if (const std::string share = CutShare(snapshot);
      MayBeCut(snapshot) && !share.empty()) {
    absl::StrAppend(&text, "; ", share,
                    " lack their outer frames (adaptive depth)");
  }
  return text;
}

}  // namespace heapledger::collector::cli
