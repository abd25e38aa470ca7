// SPDX-License-Identifier: Apache-2.0
// Keeps a ledger directory from filling up where no collector seals and removes
// the ledgers of the dead: a script that starts a hundred thousand programs
// must not fill /dev/shm.
#pragma once

#include <cstdint>

namespace heapledger::preload {

// Removes ledgers and markers of ended processes, but for the newest, when the
// directory holds many or its file system is half full. Never one of a process
// that lives, or of another pid namespace, where that cannot be told.
// REQUIRES: one thread at a time (start of an image or of a forked child).
void TidyDirectory(const char* directory);

}  // namespace heapledger::preload
