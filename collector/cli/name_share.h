// SPDX-License-Identifier: Apache-2.0
// How many of a heap's frames have a name, and where those are that have none.
#pragma once

#include <string>

#include "collector/ledger/naming.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector::cli {

// One line with its end: "names: 990 of 1,000 frames (99.0%); none in
// libfoo.so (10)". The modules with the most nameless frames come first.
[[nodiscard]] std::string NameShareLine(const LedgerSnapshot& snapshot,
                                        FrameNames& names);

}  // namespace heapledger::collector::cli
