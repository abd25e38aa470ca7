// SPDX-License-Identifier: Apache-2.0
// Touches a mapped file that somebody may cut short at any time: going past its
// new end raises SIGBUS, which here becomes `false`.
//
// Thread safety: any thread. The handler is installed at the first use, for the
// whole process, and passes on every SIGBUS that is not ours.
#pragma once

#include <cstddef>
#include <cstdint>

namespace heapledger::collector {

// Copies `count` words, each with one 8-byte acquire load, in ascending order:
// a word that a writer stored last with release is followed by what it
// published. False if the pages behind `from` are gone.
[[nodiscard]] bool CopyWordsGuarded(const std::uint64_t* from,
                                    std::size_t count, std::uint64_t* to);

// Clears and sets bits of a word that others change too, in one atomic step.
// False if the page behind it is gone.
[[nodiscard]] bool ChangeBitsGuarded(std::uint64_t* word, std::uint64_t clear,
                                     std::uint64_t set);

}  // namespace heapledger::collector
