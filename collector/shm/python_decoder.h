// SPDX-License-Identifier: Apache-2.0
// The Python record of a ledger, if it has one, as plain values.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "collector/shm/mapped_ledger.h"
#include "collector/shm/python_figures.h"

namespace heapledger::collector {

// Null where the ledger has no such record. Figures that make no sense are left
// out and counted in `corrupt`; parts that are being written are left out.
absl::StatusOr<std::shared_ptr<const PythonFigures>> ReadPython(
    const MappedLedger& file, std::uint64_t* corrupt);

}  // namespace heapledger::collector
