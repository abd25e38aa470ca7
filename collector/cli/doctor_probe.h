// SPDX-License-Identifier: Apache-2.0
// Measures a program that does nothing, the way every other one would be: what
// keeps the shim from working here shows, whatever it is.
#pragma once

#include "collector/cli/doctor_check.h"
#include "collector/shm/discovery.h"

namespace heapledger::collector::cli {

// Leaves nothing behind.
void CheckProbe(const DiscoveryOptions& options, Checks& checks);

}  // namespace heapledger::collector::cli
