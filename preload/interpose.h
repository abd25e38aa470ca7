// SPDX-License-Identifier: Apache-2.0
// Shared by the files of exported functions.
#pragma once

#include "preload/lifecycle.h"
#include "preload/real_malloc.h"
#include "preload/recorder.h"

#define HEAPLEDGER_EXPORT extern "C" __attribute__((visibility("default")))

namespace heapledger::preload {

bool BookingSlow();

// For a block about to be freed that was never booked: counts a foreign one.
// False for a block from before the start, which nobody may free.
bool PassOnUnbooked(void* block);

// Whether this call is booked. Starts the shim on the very first call.
inline bool Booking() {
  if (CurrentGate() == Gate::kActive) [[likely]]
    return true;
  return BookingSlow();
}

}  // namespace heapledger::preload
