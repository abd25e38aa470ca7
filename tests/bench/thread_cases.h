// SPDX-License-Identifier: Apache-2.0
// Cases with more than one thread: two that do the same side by side, and one
// that frees what the other allocates.
#pragma once

#include "tests/bench/measure.h"

namespace heapledger::bench {

void ThreadCases(Measurements& results);

}  // namespace heapledger::bench
