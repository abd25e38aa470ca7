// SPDX-License-Identifier: Apache-2.0
#include "collector/leaks/reason.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace heapledger::collector {
namespace {

std::string BytesText(double bytes) {
  static constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < kUnits.size(); ++unit) bytes /= 1024;
  // A leak of half a byte a second is one all the same.
  const int digits = unit != 0 || bytes < 10 ? 1 : 0;
  return absl::StrFormat("%.*f %s", digits, bytes, kUnits[unit]);
}

std::string TimeText(std::uint64_t nanoseconds) {
  const std::uint64_t seconds = nanoseconds / kSecondNs;
  if (seconds < 60) {
    return absl::StrFormat("%.*f s", seconds < 10 ? 1 : 0,
                           static_cast<double>(nanoseconds) / 1e9);
  }
  if (seconds < 3600) {
    return absl::StrFormat("%d min %02d s", seconds / 60, seconds % 60);
  }
  return absl::StrFormat("%d h %02d min", seconds / 3600, seconds / 60 % 60);
}

// Of those that carry a tenth or more, the first three.
constexpr std::size_t kNamedCarriers = 3;
constexpr double kNamedShare = 0.1;

std::string CarriersText(std::span<const Suspect> suspects, double rate) {
  std::string text;
  std::size_t named = 0;
  for (const Suspect& suspect : suspects) {
    if (!suspect.growth) break;  // they come first
    const double share = suspect.growth->bytes_per_second / rate;
    if (named == kNamedCarriers || share < kNamedShare) break;
    absl::StrAppend(&text, named++ == 0 ? "carried by " : ", ",
                    suspect.callsite.name.function, " (",
                    absl::StrFormat("%.0f", 100 * std::min(share, 1.0)), " %)");
  }
  return named != 0 ? text : "no callsite carries it alone";
}

std::string_view About(Figures figures) {
  return figures == Figures::kEstimated ? "about " : "";
}

}  // namespace

std::string ReasonOf(const GrowthEvidence& growth, Figures figures) {
  const std::string about(About(figures));
  return absl::StrCat(growth.basis == GrowthBasis::kFloors
                          ? "the floor of its live bytes"
                          : "its live bytes",
                      " rose in ", growth.rounds_rose, " of ", growth.rounds,
                      " rounds over ", TimeText(growth.window_ns), ", by ",
                      about, BytesText(growth.bytes_per_second), "/s; ", about,
                      BytesText(growth.bytes_in_an_hour()),
                      " more in an hour if it goes on like this");
}

std::string ReasonOf(const AgeEvidence& age, Figures figures) {
  const std::string window = TimeText(age.window_ns);
  std::string text;
  if (figures == Figures::kEstimated) {
    text = absl::StrCat("by estimate, of ", age.allocated_objects,
                        " blocks allocated in the last ", window, " ",
                        age.kept_objects, " or more are live");
  } else if (age.freed_objects == 0) {
    text = absl::StrCat("none of the ", age.allocated_objects,
                        " blocks allocated in the last ", window, " was freed");
  } else {
    text = absl::StrCat("of ", age.allocated_objects,
                        " blocks allocated in the last ", window, " at least ",
                        age.kept_objects, " are live, as only ",
                        age.freed_objects, " of any age were freed");
  }
  return absl::StrCat(text, "; at least ", age.older_objects, " blocks (",
                      BytesText(static_cast<double>(age.older_bytes)),
                      ") are older than ", TimeText(age.older_than_ns));
}

std::string ReasonOf(const TrendView& trend, std::span<const Suspect> suspects,
                     Figures figures) {
  const GrowthEvidence& growth = *trend.growth;
  std::string text = absl::StrCat(
      "the floor of the process' live bytes rose over ",
      TimeText(growth.window_ns), ", by ", std::string(About(figures)),
      BytesText(growth.bytes_per_second), "/s");
  if (trend.exhaustion_seconds) {
    absl::StrAppend(
        &text, "; at that pace its memory is used up in ",
        TimeText(static_cast<std::uint64_t>(*trend.exhaustion_seconds * 1e9)));
  }
  return absl::StrCat(text, "; ",
                      CarriersText(suspects, growth.bytes_per_second));
}

std::string ReasonOf(const UnreachableEvidence& unreachable) {
  const LeakCounts& counts = unreachable.counts;
  const auto blocks = [](std::uint64_t bytes, std::uint64_t objects) {
    return absl::StrCat(objects, objects == 1 ? " block (" : " blocks (",
                        BytesText(static_cast<double>(bytes)), ")");
  };
  std::string text = absl::StrCat(
      "nothing points to ", blocks(counts.direct_bytes, counts.direct_objects));
  if (counts.direct_objects == 0) text = "lost";
  if (counts.indirect_objects != 0) {
    absl::StrAppend(&text, counts.direct_objects == 0 ? " with" : ", and",
                    counts.direct_objects == 0 ? " another callsite's blocks: "
                                               : " to nothing but these from ",
                    blocks(counts.indirect_bytes, counts.indirect_objects));
  }
  return unreachable.at_exit
             ? absl::StrCat(text, ", when the program ended")
             : absl::StrCat(
                   text, ", by a scan that held the program up for ",
                   absl::StrFormat(
                       "%.1f ms",
                       static_cast<double>(unreachable.pause_ns) / 1e6));
}

}  // namespace heapledger::collector
