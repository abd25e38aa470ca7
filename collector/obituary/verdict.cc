// SPDX-License-Identifier: Apache-2.0
#include "collector/obituary/verdict.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "collector/ledger/utc_time.h"
#include "collector/obituary/words.h"

namespace heapledger::collector::obituary {
namespace {

double Real(std::uint64_t number) { return static_cast<double>(number); }

std::string Named(const CallsiteColumn& site) {
  const std::string file(BaseName(site.file));
  if (file.empty()) return absl::StrCat(site.function, " (", site.module, ")");
  return site.line == 0
             ? absl::StrCat(site.function, " (", file, ")")
             : absl::StrCat(site.function, " (", file, ":", site.line, ")");
}

std::string When(const Obituary& obituary) {
  if (obituary.died_realtime_ns == 0) return "";
  return absl::StrCat(obituary.died_exactly ? " at " : " some time after ",
                      UtcTimeText(obituary.died_realtime_ns));
}

// The limit that was met: of the kernel's report, else the tightest that the
// process was under.
std::string Limit(const Obituary& obituary) {
  if (obituary.oom && obituary.oom->limit_bytes) {
    return absl::StrCat(" (limit ", BytesText(Real(*obituary.oom->limit_bytes)),
                        ")");
  }
  for (const auto* facts : {&obituary.cgroup_before, &obituary.cgroup_after}) {
    if (!*facts || (*facts)->limits.empty()) continue;
    const auto tightest = std::ranges::min_element((*facts)->limits, {},
                                                   &CgroupLimit::limit_bytes);
    return absl::StrCat(" (limit ", BytesText(Real(tightest->limit_bytes)),
                        ")");
  }
  return "";
}

std::string OomKill(const Obituary& obituary) {
  std::string text = obituary.ending.likely
                         ? "killed by SIGKILL, most likely by the kernel's OOM "
                           "killer"
                         : "killed by the kernel's OOM killer";
  if (obituary.oom && !obituary.oom->limit_cgroup.empty()) {
    absl::StrAppend(&text, " of memory cgroup ", obituary.oom->limit_cgroup);
  } else if (obituary.oom && obituary.oom->constraint == "CONSTRAINT_NONE") {
    text += " as the host ran out of memory";
  } else if (obituary.cgroup_before) {
    absl::StrAppend(&text, " of memory cgroup ",
                    obituary.cgroup_before->cgroup);
  }
  return absl::StrCat(text, When(obituary), Limit(obituary));
}

std::string Growth(const Rise& rise) {
  return absl::StrCat("grew by ", BytesText(rise.bytes_per_second()), "/s for ",
                      DurationText(rise.seconds));
}

// The callsite whose live bytes rose most to the end; none where the history
// has none that rose by a tenth of what was live.
struct Riser {
  const CallsiteColumn* site = nullptr;
  Rise rise;
};
std::optional<Riser> LargestRise(const Obituary& obituary,
                                 std::uint64_t live_bytes) {
  std::optional<Riser> largest;
  for (std::size_t i = 0; i < obituary.callsites.size(); ++i) {
    const auto rise = RiseToTheEnd(obituary.history, kFixedColumns + i);
    if (!rise || rise->bytes < live_bytes / 10) continue;
    if (!largest || rise->bytes > largest->rise.bytes) {
      largest = {&obituary.callsites[i], *rise};
    }
  }
  return largest;
}

}  // namespace

std::vector<CallsiteFigure> TopOf(const ProcessView& view, std::size_t count) {
  std::vector<CallsiteFigure> top;
  for (const CallsiteView& callsite : view.top) {
    if (top.size() == count) break;
    top.push_back(
        {{callsite.fingerprint.ToString(), callsite.name.function,
          callsite.name.module, callsite.name.file, callsite.name.line},
         callsite.counters.live_bytes(),
         callsite.counters.live_objects()});
  }
  return top;
}

std::optional<Rise> RiseOf(const Obituary& obituary,
                           const std::string& callsite) {
  const auto found = std::ranges::find(obituary.callsites, callsite,
                                       &CallsiteColumn::callsite);
  if (found == obituary.callsites.end()) return std::nullopt;
  return RiseToTheEnd(obituary.history,
                      kFixedColumns + static_cast<std::size_t>(
                                          found - obituary.callsites.begin()));
}

std::string HowItDied(const Obituary& obituary) {
  const Ending& ending = obituary.ending;
  const std::string core = ending.core_dumped ? ", dumping core" : "";
  switch (ending.kind) {
    case EndKind::kOomKill:
      return OomKill(obituary);
    case EndKind::kCrash:
      return absl::StrCat(ending.likely ? "most likely ended" : "ended",
                          " by a crash (", SignalName(ending.signal), ")",
                          When(obituary), core);
    case EndKind::kSignal:
      return absl::StrCat("killed by ", SignalName(ending.signal),
                          When(obituary), core, " (by whom is not known)");
    case EndKind::kExit:
      return ending.exit_status
                 ? absl::StrCat("ended by its own exit with status ",
                                *ending.exit_status, When(obituary))
                 : absl::StrCat("ended by its own exit", When(obituary),
                                " (with which status is not known)");
    case EndKind::kUnknown:
      break;
  }
  return absl::StrCat("ended without an exit of its own", When(obituary),
                      " (killed or crashed, by which signal is not known)");
}

std::string Verdict(const LedgerSnapshot& snapshot, const Obituary& obituary,
                    const std::vector<CallsiteFigure>& top) {
  std::string text =
      absl::StrCat(snapshot.identity.Program(), " (pid ", snapshot.identity.pid,
                   ") was ", HowItDied(obituary));
  if (snapshot.never_armed()) {
    return text + "; its heap was not measured: it was dormant all its life";
  }
  const std::uint64_t live = snapshot.totals.live_bytes();
  if (top.empty() || live == 0) return text + "; nothing was live on its heap";
  const CallsiteFigure& largest = top.front();
  absl::StrAppend(
      &text, "; ", Named(largest.site), " held ",
      snapshot.estimated() ? "about " : "", BytesText(Real(largest.live_bytes)),
      ", ",
      absl::StrFormat("%.0f", 100 * Real(largest.live_bytes) / Real(live)),
      " % of its live heap");
  const auto rise = RiseOf(obituary, largest.site.callsite);
  if (rise) absl::StrAppend(&text, ", and ", Growth(*rise));
  const auto riser = LargestRise(obituary, live);
  if (riser && riser->site->callsite != largest.site.callsite &&
      (!rise || riser->rise.bytes > rise->bytes)) {
    absl::StrAppend(&text, "; most of the growth was ", Named(*riser->site),
                    "'s, which ", Growth(riser->rise));
  }
  return text;
}

}  // namespace heapledger::collector::obituary
