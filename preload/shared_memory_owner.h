// SPDX-License-Identifier: Apache-2.0
// Whether the process whose memory the caller shares still has it: it may have
// ended, or run another program, which nobody of ours may touch.
//
// Thread safety: any thread.
#pragma once

#include <cstdint>

namespace heapledger::preload {

// REQUIRES: the caller was started by process `pid`, sharing its memory. Some
// kernels cannot compare memory: then only the end of that process is noticed.
bool StillSharesMemoryWith(std::int32_t pid);

}  // namespace heapledger::preload
