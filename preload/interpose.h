// SPDX-License-Identifier: Apache-2.0
// Shared by the files of exported functions.
#pragma once

#include "preload/lifecycle.h"
#include "preload/real_malloc.h"
#include "preload/recorder.h"

#define HEAPLEDGER_EXPORT extern "C" __attribute__((visibility("default")))

// Our own free, whatever the symbol of that name is bound to.
extern "C" __attribute__((visibility("hidden"))) void heapledger_own_free(
    void* block) noexcept;

namespace heapledger::preload {

bool RunningSlow();

// Whether there is a ledger, so that calls go through it. Starts the shim on
// the very first call.
inline bool Running() {
  if (CurrentGate() > Gate::kOff) [[likely]]
    return true;
  return RunningSlow();
}

// For a block about to be freed that was never booked: counts a foreign one
// where every block should be. False for a block from before the start, which
// nobody may free.
bool PassOnUnbooked(void* block);

// Books what the real allocator gave, if it did, and returns it. A macro, so
// that the caller is read after the real call: then nothing is held over that.
#define HEAPLEDGER_RETURN_BOOKED(result, bytes)                              \
  do {                                                                       \
    void* const given = (result);                                            \
    if (given == nullptr) [[unlikely]]                                       \
      return nullptr;                                                        \
    return ::heapledger::preload::Record(HEAPLEDGER_CALLER(), given, bytes); \
  } while (false)

}  // namespace heapledger::preload
