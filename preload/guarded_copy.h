// SPDX-License-Identifier: Apache-2.0
// Copies words from memory that may vanish while it is read: where the calling
// process has GuardCopies() in force, a page that is gone is a refusal, not a
// fault. Elsewhere a fault is one, as of any load.
//
// Thread safety: copies from any thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace heapledger::preload {

// Copies `count` words, in order; false where not all of them could be read.
// `to` and `from` are multiples of 8.
extern "C" __attribute__((visibility("hidden"))) bool heapledger_copy_words(
    std::uint64_t* to, std::uint64_t from, std::size_t count);

inline bool CopyWords(std::uint64_t* to, std::uint64_t from,
                      std::size_t count) {
  return heapledger_copy_words(to, from, count);
}

// Installs a handler for SIGSEGV and SIGBUS that ends a copy which faults, and
// the process where anything else does. For a process of our own that shares
// the target's memory and none of its handlers.
void GuardCopies();

}  // namespace heapledger::preload
