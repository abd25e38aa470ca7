// SPDX-License-Identifier: Apache-2.0
// What else of libc is wrapped: the unloading of code.
#include <dlfcn.h>

#include "preload/interpose.h"
#include "preload/python_host.h"
#include "preload/real_process.h"

using heapledger::preload::g_real_process;
using heapledger::preload::ModulesChanged;
using heapledger::preload::SuspendPython;

HEAPLEDGER_EXPORT int dlclose(void* handle) {
  if (g_real_process.dlclose == nullptr) g_real_process.Resolve();
  SuspendPython();
  const int result = g_real_process.dlclose(handle);
  ModulesChanged();
  return result;
}
