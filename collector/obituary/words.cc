// SPDX-License-Identifier: Apache-2.0
#include "collector/obituary/words.h"

#include <array>

#include "absl/strings/str_format.h"

namespace heapledger::collector::obituary {

std::string BytesText(double bytes) {
  static constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < kUnits.size(); ++unit) bytes /= 1024;
  return absl::StrFormat("%.*f %s", unit == 0 ? 0 : 1, bytes, kUnits[unit]);
}

std::string DurationText(double seconds) {
  if (seconds < 600) return absl::StrFormat("%.0f s", seconds);
  if (seconds < 7200) return absl::StrFormat("%.0f min", seconds / 60);
  return absl::StrFormat("%.1f h", seconds / 3600);
}

}  // namespace heapledger::collector::obituary
