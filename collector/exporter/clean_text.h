// SPDX-License-Identifier: Apache-2.0
// Foreign text made fit for a page: names of functions and files are chosen by
// whoever wrote the program.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace heapledger::collector {

// Valid UTF-8 without control characters, at most `limit` bytes: what is
// neither becomes U+FFFD. Line feeds stay.
[[nodiscard]] std::string CleanText(std::string_view text, std::size_t limit);

// Whether CleanText() would change nothing but the length; says no to letters
// beyond ASCII, too. Most names are plain: they need no copy.
[[nodiscard]] bool IsPlainText(std::string_view text);

}  // namespace heapledger::collector
