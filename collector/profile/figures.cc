// SPDX-License-Identifier: Apache-2.0
#include "collector/profile/figures.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "collector/ledger/utc_time.h"

namespace heapledger::collector {

std::string ExactFigure(std::int64_t number, Sign sign) {
  // Of the most negative number too, which has no positive one.
  const std::uint64_t magnitude = number < 0
                                      ? 0 - static_cast<std::uint64_t>(number)
                                      : static_cast<std::uint64_t>(number);
  std::string digits = absl::StrCat(magnitude);
  for (std::size_t end = digits.size(); end > 3; end -= 3) {
    digits.insert(end - 3, 1, ',');
  }
  const bool plus = sign == Sign::kAlways && number > 0;
  return absl::StrCat(number < 0 ? "-" : plus ? "+" : "", digits);
}

std::string ShareFigure(std::int64_t part, std::int64_t whole) {
  const double share = whole == 0 ? 0
                                  : 100.0 * static_cast<double>(part) /
                                        static_cast<double>(whole);
  return absl::StrFormat("%.1f%%", share);
}

std::string ModeText(const ProfileFacts& facts) {
  return absl::StrCat(std::string(ModeWord(facts.mode)), ", ",
                      std::string(StackWord(facts.stack_detail)), " stacks");
}

std::vector<std::string> RemarksOn(const Profile& profile) {
  std::vector<std::string> remarks;
  for (const ProfileFacts& facts : profile.compared) {
    remarks.push_back(absl::StrCat(
        "compared with ", facts.program, " pid ", facts.pid, " at ",
        UtcTimeText(facts.taken_realtime_ns),
        facts.moment.empty() ? "" : absl::StrCat(" (", facts.moment, ")")));
  }
  remarks.insert(remarks.end(), profile.facts.remarks.begin(),
                 profile.facts.remarks.end());
  const StackLosses losses = LossesOf(profile);
  const std::int64_t whole =
      profile.before_totals.live_bytes + profile.totals.live_bytes;
  const auto add = [&](const ProfileValues& part, const char* text) {
    if (part.live_bytes == 0) return;
    remarks.push_back(absl::StrCat(ShareFigure(part.live_bytes, whole),
                                   " of the live bytes stand on ", text));
  };
  add(losses.truncated, "stacks deeper than --max-depth (truncated)");
  add(losses.cut, "stacks that adaptive depth has cut");
  add(losses.incomplete, "stacks that could not be walked to their end");
  return remarks;
}

}  // namespace heapledger::collector
