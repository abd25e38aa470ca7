// SPDX-License-Identifier: Apache-2.0
#include "preload/shared_memory_owner.h"

#include <errno.h>
#include <sys/syscall.h>

#include "preload/raw_io.h"

namespace heapledger::preload {

bool StillSharesMemoryWith(std::int32_t pid) {
  constexpr long kCompareMemory = 1;  // KCMP_VM
  const long own = raw::Call(SYS_getpid);
  const long differs = raw::Call(SYS_kcmp, own, pid, kCompareMemory, 0, 0);
  return differs <= 0 && differs != -ESRCH && raw::Call(SYS_getppid) == pid;
}

}  // namespace heapledger::preload
