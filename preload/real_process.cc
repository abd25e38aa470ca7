// SPDX-License-Identifier: Apache-2.0
#include "preload/real_process.h"

#include <dlfcn.h>

namespace heapledger::preload {

constinit RealProcess g_real_process;

void RealProcess::Resolve() {
  exit_now = reinterpret_cast<void (*)(int)>(dlsym(RTLD_NEXT, "_exit"));
  quick_exit = reinterpret_cast<void (*)(int)>(dlsym(RTLD_NEXT, "quick_exit"));
  dlclose = reinterpret_cast<int (*)(void*)>(dlsym(RTLD_NEXT, "dlclose"));
}

}  // namespace heapledger::preload
