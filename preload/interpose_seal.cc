// SPDX-License-Identifier: Apache-2.0
// The calls by which a program gives up system calls: a filter may kill for one
// that it does not expect, so a scan at exit must know without asking. Both are
// reached by a jump, with all registers as they came.
#include <sys/syscall.h>

#include "preload/interpose.h"
#include "preload/live_scan.h"
#include "preload/real_process.h"
#include "preload/seal.h"

using heapledger::preload::g_real_process;
using heapledger::preload::ProgramSealsItself;
using heapledger::preload::StopLiveScanBeforeExec;

namespace {
constexpr long kSetSeccomp = 22;  // PR_SET_SECCOMP
}  // namespace

// Not as in libc's headers, where both take what they are given.
HEAPLEDGER_EXPORT int prctl(int option, unsigned long a, unsigned long b,
                            unsigned long c, unsigned long d) {
  if (option == kSetSeccomp) ProgramSealsItself();
  if (g_real_process.prctl == nullptr) g_real_process.Resolve();
  return g_real_process.prctl(option, a, b, c, d);
}

// libc's headers declare it with an ellipsis.
HEAPLEDGER_EXPORT long heapledger_syscall(long number, long a, long b, long c,
                                          long d, long e,
                                          long f) asm("syscall");

long heapledger_syscall(long number, long a, long b, long c, long d, long e,
                        long f) {
  if (number == SYS_seccomp || (number == SYS_prctl && a == kSetSeccomp)) {
    ProgramSealsItself();
  }
  if (number == SYS_execve || number == SYS_execveat) StopLiveScanBeforeExec();
  if (g_real_process.syscall == nullptr) [[unlikely]]
    g_real_process.Resolve();
  return g_real_process.syscall(number, a, b, c, d, e, f);
}
