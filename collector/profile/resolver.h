// SPDX-License-Identifier: Apache-2.0
// Frame names out of a symbolizer, remembered per module and pc: a pc is looked
// up once in the life of the collector, whichever process it was seen in.
//
// Thread safety: any thread; lookups of different pcs wait for one another.
#pragma once

#include <memory>

#include "collector/ledger/naming.h"

namespace heapledger::collector {

// Finds symbols in the files that the snapshot's modules name.
[[nodiscard]] std::unique_ptr<FrameNames> MakeResolver();

}  // namespace heapledger::collector
