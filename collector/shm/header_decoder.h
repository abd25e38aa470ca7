// SPDX-License-Identifier: Apache-2.0
// From a ledger's header page, copied and checked, to plain values.
#pragma once

#include "collector/shm/mapped_ledger.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector {

// Fills whatever the header alone says: identity, modes, state, reasons. What
// makes no sense is counted in corrupt_records.
void DecodeHeader(const Words& header, LedgerSnapshot& snapshot);

// What the header says of the scan at exit: all of it but the leaks.
LeakScan DecodeScan(const Words& header);
LiveLeakScan DecodeLiveScan(const Words& header);

}  // namespace heapledger::collector
