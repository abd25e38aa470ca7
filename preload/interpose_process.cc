// SPDX-License-Identifier: Apache-2.0
// What else of libc is wrapped: the ways to end that run no destructor of ours,
// and the unloading of code.
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/interpose.h"
#include "preload/raw_io.h"
#include "preload/real_process.h"

using heapledger::preload::g_real_process;
using heapledger::preload::ModulesChanged;
using heapledger::preload::ProcessExits;
using heapledger::preload::ProcessOrBorrowerExits;

HEAPLEDGER_EXPORT __attribute__((noreturn)) void _exit(int status) {
  ProcessOrBorrowerExits();
  if (g_real_process.exit_now != nullptr) g_real_process.exit_now(status);
  for (;;) heapledger::preload::raw::Call(SYS_exit_group, status);
}

HEAPLEDGER_EXPORT __attribute__((noreturn)) void _Exit(int status) {
  _exit(status);
}

HEAPLEDGER_EXPORT __attribute__((noreturn)) void quick_exit(int status) {
  ProcessExits();
  if (g_real_process.quick_exit != nullptr) g_real_process.quick_exit(status);
  _exit(status);
}

HEAPLEDGER_EXPORT int dlclose(void* handle) {
  if (g_real_process.dlclose == nullptr) g_real_process.Resolve();
  const int result = g_real_process.dlclose(handle);
  ModulesChanged();
  return result;
}
