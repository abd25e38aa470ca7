// SPDX-License-Identifier: Apache-2.0
#include "collector/gate/lsan_pattern.h"

#include <cstddef>

namespace heapledger::collector::gate {

bool MatchesLsanPattern(std::string_view pattern, std::string_view text) {
  if (text.empty()) return false;
  bool at_start = pattern.starts_with('^');
  if (at_start) pattern.remove_prefix(1);
  // What follows a `$` never mattered to anybody.
  const std::size_t end_mark = pattern.find('$');
  const bool to_end = end_mark != std::string_view::npos;
  pattern = pattern.substr(0, end_mark);
  for (;;) {
    const std::size_t star = pattern.find('*');
    const std::string_view piece = pattern.substr(0, star);
    if (star == std::string_view::npos) {
      if (at_start) return to_end ? text == piece : text.starts_with(piece);
      return to_end ? text.ends_with(piece)
                    : text.find(piece) != std::string_view::npos;
    }
    const std::size_t found = text.find(piece);
    if (found == std::string_view::npos || (at_start && found != 0)) {
      return false;
    }
    text.remove_prefix(found + piece.size());
    pattern.remove_prefix(star + 1);
    at_start = false;
  }
}

}  // namespace heapledger::collector::gate
