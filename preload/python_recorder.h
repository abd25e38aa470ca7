// SPDX-License-Identifier: Apache-2.0
// Callsites with the Python frames of the calling thread in them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "preload/lifecycle.h"
#include "preload/unwind/registers.h"

namespace heapledger::preload {

// Books a block with its native and Python stack and returns it.
// REQUIRES: the gate was seen as kPython; block is not null.
void* RecordPython(const unwind::Registers& caller, void* block,
                   std::size_t bytes);

namespace recorder_internal {

// The callsite of the caller's native and Python stack.
// REQUIRES: the guard is held; ReadsPython().
std::uint32_t PythonCallsite(ThreadState* state,
                             const unwind::Registers& caller);

}  // namespace recorder_internal
}  // namespace heapledger::preload
