// SPDX-License-Identifier: Apache-2.0
// What a baseline is made of, from what was seen of a process.
#pragma once

#include "collector/baseline/learner.h"
#include "collector/baseline/quantity.h"
#include "collector/leaks/process_leaks.h"
#include "collector/shm/snapshot.h"
#include "collector/system/system_view.h"

namespace heapledger::collector::cli {

// `target` is one of `view`'s. What could not be read is left out.
[[nodiscard]] baseline::Sample QuantitiesOf(const TargetSample& target,
                                            const SystemView& view);

// The heap's part, from a ledger; nothing of one that was never armed.
void AddHeap(const LedgerSnapshot& snapshot, baseline::Sample& sample);

// Whether a process leaks, as a baseline asks: also what the user knows of is
// no normal memory, what they suppressed is.
[[nodiscard]] baseline::Growth GrowthOf(const ProcessLeakView& leaks);

// The same of a process that has no ledger: its resident memory rises by more
// than 10 MiB in five minutes, at which the alert on growth looks, too.
[[nodiscard]] baseline::Growth GrowthOf(const TargetSample& target);

}  // namespace heapledger::collector::cli
