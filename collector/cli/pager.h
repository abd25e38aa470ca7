// SPDX-License-Identifier: Apache-2.0
// Long text for a person goes through $PAGER where stdout is a terminal.
#pragma once

#include <string_view>

namespace heapledger::collector::cli {

// Writes `text` to stdout, or to $PAGER and waits for its end. A pager that
// cannot be started, or a reader that leaves early, is no failure.
void Page(std::string_view text);

}  // namespace heapledger::collector::cli
