// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/leaks_view.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "collector/cli/mode_words.h"
#include "collector/cli/output.h"
#include "collector/leaks/reason.h"
#include "collector/profile/profile.h"

namespace heapledger::collector::cli {
namespace {

// Beyond this a forecast is no news.
constexpr double kForecastSeconds = 30 * 86400.0;
constexpr std::size_t kAcquittedShown = 20;

std::string Heading(const ProcessLeakView& leaks) {
  const LedgerIdentity& who = leaks.snapshot->identity;
  std::string text = absl::StrCat(
      Printable(who.Program()), " (pid ", who.pid, "): ", leaks.suspects.size(),
      leaks.suspects.size() == 1 ? " suspect" : " suspects", " in ",
      HumanAge(leaks.looked_ns));
  const auto known =
      std::ranges::count_if(leaks.suspects, [](const Suspect& suspect) {
        return suspect.state != SuspectState::kNew;
      });
  if (known > 0) {
    absl::StrAppend(&text, ", ",
                    leaks.suspects.size() - static_cast<std::size_t>(known),
                    " of them new");
  }
  return absl::StrCat(text, "; live ", AboutSign(*leaks.snapshot),
                      HumanBytes(leaks.snapshot->totals.live_bytes()), "\n");
}

std::string StackText(const LedgerSnapshot& snapshot, std::uint32_t callsite,
                      FrameNames& names) {
  std::string text;
  const CallsiteInfo& info = snapshot.tables->callsites[callsite];
  for (const std::uint32_t index : snapshot.stack(info)) {
    for (const ResolvedFrame& frame : names.Resolve(snapshot, index)) {
      const CallsiteName place{"", frame.module, frame.file, frame.line};
      absl::StrAppend(&text, "      ", Printable(FrameFunction(frame)), "  ",
                      Printable(place.Location()), "\n");
    }
  }
  return text;
}

std::string SuspectText(const Suspect& suspect, const LedgerSnapshot& snapshot,
                        const LeaksTextOptions& options, FrameNames& names) {
  const CallsiteView& callsite = suspect.callsite;
  const Figures figures =
      snapshot.estimated() ? Figures::kEstimated : Figures::kExact;
  std::string text = absl::StrCat(
      "\n", callsite.fingerprint.ToString(), "  ",
      std::string(StateWord(suspect.state)), "  ",
      ShortFunction(Printable(callsite.name.function)), "  ",
      ShortPath(Printable(callsite.name.Location())), "\n    live ",
      AboutSign(snapshot), HumanBytes(callsite.counters.live_bytes()), " in ",
      HumanCount(callsite.counters.live_objects()), " objects\n");
  if (suspect.growth) {
    absl::StrAppend(&text, "    growth: ", ReasonOf(*suspect.growth, figures),
                    "\n");
  }
  if (suspect.age) {
    absl::StrAppend(&text, "    age: ", ReasonOf(*suspect.age, figures), "\n");
  }
  if (suspect.unreachable) {
    absl::StrAppend(&text, "    unreachable: ", ReasonOf(*suspect.unreachable),
                    "\n");
  }
  if (options.limit_bytes && suspect.growth) {
    const auto seconds = suspect.growth->SecondsTo(
        *options.limit_bytes, snapshot.totals.live_bytes());
    if (seconds && *seconds < kForecastSeconds) {
      absl::StrAppend(&text, "    forecast: by this alone ",
                      HumanBytes(*options.limit_bytes), " live in ",
                      HumanAge(static_cast<std::uint64_t>(*seconds * 1e9)),
                      "\n");
    }
  }
  if (options.stacks == StackLines::kAll) {
    text += StackText(snapshot, callsite.callsites.front(), names);
  }
  return text;
}

std::string_view WhyAcquitted(GrowthShape shape) {
  switch (shape) {
    case GrowthShape::kTooEarly:
      return "too early to tell";
    case GrowthShape::kFlat:
      return "no trend";
    case GrowthShape::kUneven:
      return "rose in a part of the time only";
    case GrowthShape::kFlattening:
      return "flattens";
    case GrowthShape::kSeenBefore:
      return "was as high before and came back";
    case GrowthShape::kWithLoad:
      return "rises with the rate of its allocations";
    case GrowthShape::kGrowing:
      return "grows, not for long enough yet or in the wake of a larger rise";
  }
  return "";
}

}  // namespace

std::string LeaksText(const ProcessLeakView& leaks,
                      const LeaksTextOptions& options, FrameNames& names) {
  std::string text = Heading(leaks);
  for (const Suspect& suspect : leaks.suspects) {
    text += SuspectText(suspect, *leaks.snapshot, options, names);
  }
  return text;
}

std::string AcquittedText(const std::vector<Acquitted>& others) {
  if (others.empty()) return "";
  Table table({{"ROSE", Table::Align::kRight},
               {"CALLSITE"},
               {"FUNCTION"},
               {"NO SUSPECT, AS IT"}});
  for (std::size_t i = 0; i < std::min(others.size(), kAcquittedShown); ++i) {
    const Acquitted& other = others[i];
    table.AddRow({HumanBytes(other.judgement.evidence.rise_bytes),
                  other.callsite.fingerprint.ToString(),
                  ShortFunction(Printable(other.callsite.name.function)),
                  std::string(WhyAcquitted(other.judgement.shape))});
  }
  return "\n" + table.ToString();
}

}  // namespace heapledger::collector::cli
