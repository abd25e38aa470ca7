// SPDX-License-Identifier: Apache-2.0
// A process under the shim as the system sampler takes it.
#pragma once

#include "collector/ledger/process_account.h"
#include "collector/system/system_view.h"

namespace heapledger::collector {

// Without figures of the heap for a process that was never armed.
[[nodiscard]] SystemTarget MeasuredTarget(const ProcessView& process);

}  // namespace heapledger::collector
