// SPDX-License-Identifier: Apache-2.0
#include "preload/real_process.h"

#include <dlfcn.h>

namespace heapledger::preload {

constinit RealProcess g_real_process;

namespace {

template <typename Function>
void Find(Function& function, const char* name) {
  function = reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

}  // namespace

void RealProcess::Resolve() {
  Find(start_main, "__libc_start_main");
  Find(exit, "exit");
  Find(exit_now, "_exit");
  Find(quick_exit, "quick_exit");
  Find(dlclose, "dlclose");
  Find(prctl, "prctl");
  Find(syscall, "syscall");
  for (int i = 0; i < kExecCalls; ++i) Find(exec[i], kExecNames[i]);
}

}  // namespace heapledger::preload
