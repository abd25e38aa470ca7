// SPDX-License-Identifier: Apache-2.0
// The patterns of sanitizers' suppression files: a part of the text, where `*`
// stands for anything, `^` at the beginning for the text's beginning and `$`
// for its end.
#pragma once

#include <string_view>

namespace heapledger::collector::gate {

// An empty text (an unknown file, say) matches no pattern, not even "*".
[[nodiscard]] bool MatchesLsanPattern(std::string_view pattern,
                                      std::string_view text);

}  // namespace heapledger::collector::gate
