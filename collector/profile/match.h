// SPDX-License-Identifier: Apache-2.0
// The same callsite in several profiles: see difference.h for what is the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "collector/profile/difference.h"
#include "collector/profile/profile.h"

namespace heapledger::collector {

// The samples of several profiles that are one callsite.
struct MatchedCallsite {
  // In the profile where it was found last: the sample with most live bytes.
  std::size_t profile = 0;
  std::size_t sample = 0;
  std::vector<ProfileValues> values;  // by profile
};

// In the order in which they appear, the first profile's first.
[[nodiscard]] std::vector<MatchedCallsite> MatchCallsites(
    std::span<const Profile> profiles, MatchedBy matched_by);

}  // namespace heapledger::collector
