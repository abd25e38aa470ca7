// SPDX-License-Identifier: Apache-2.0
// The two ways in which an interpreter's objects are read: by loads, where they
// are known to be alive, and by the kernel, where a wrong address must be a
// refusal and not a fault.
//
// Thread safety: any thread.
#pragma once

#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>

#include "preload/lifecycle.h"
#include "preload/raw_io.h"
#include "preload/seal.h"

namespace heapledger::preload {

struct LiveMemory {
  [[nodiscard]] std::uint64_t Word(std::uint64_t address) const {
    return *reinterpret_cast<const volatile std::uint64_t*>(address);
  }
};

struct GuardedMemory {
  bool Copy(std::uint64_t address, void* to, std::size_t bytes) const {
    constexpr long kErrnoFault = -14;
    long got = kErrnoFault;
    // A program that gave up system calls may be killed for one of ours.
    const bool sealed = HasSealedItself();
    if (!sealed) {
      const iovec local = {to, bytes};
      const iovec remote = {reinterpret_cast<void*>(address), bytes};
      got = raw::Call(SYS_process_vm_readv, g_process->identity.pid,
                      reinterpret_cast<long>(&local), 1,
                      reinterpret_cast<long>(&remote), 1, 0);
      if (got == static_cast<long>(bytes)) return true;
      if (got >= 0 || got == kErrnoFault) return false;
    }
    // The kernel refuses the call itself (a container's filter): by loads then.
    memcpy(to, reinterpret_cast<const void*>(address), bytes);
    return true;
  }

  // 0 where it cannot be read.
  [[nodiscard]] std::uint64_t Word(std::uint64_t address) const {
    std::uint64_t word = 0;
    return Copy(address, &word, sizeof word) ? word : 0;
  }
};

}  // namespace heapledger::preload
