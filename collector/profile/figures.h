// SPDX-License-Identifier: Apache-2.0
// Figures as a person reads them, the same in every format.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "collector/profile/profile.h"

namespace heapledger::collector {

// "1,234,567"; with `sign` a rise bears its "+".
enum class Sign { kNegativeOnly, kAlways };
[[nodiscard]] std::string ExactFigure(std::int64_t number,
                                      Sign sign = Sign::kNegativeOnly);
// "12.5%"; "0.0%" of nothing.
[[nodiscard]] std::string ShareFigure(std::int64_t part, std::int64_t whole);

// "exact, full stacks", "sampled, adaptive stacks"
[[nodiscard]] std::string ModeText(const ProfileFacts& facts);

// What a reader must know of a profile, a sentence each without a full stop:
// the moments compared, the remarks of its facts, the share of live bytes on
// stacks that lack frames.
[[nodiscard]] std::vector<std::string> RemarksOn(const Profile& profile);

}  // namespace heapledger::collector
