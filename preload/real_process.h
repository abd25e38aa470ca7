// SPDX-License-Identifier: Apache-2.0
// The next definitions of what else we export. Looked up once at the start:
// dlsym takes the loader's lock, and _exit may be called from anywhere.
#pragma once

namespace heapledger::preload {

struct RealProcess {
  void (*exit_now)(int) = nullptr;  // _exit
  void (*quick_exit)(int) = nullptr;
  int (*dlclose)(void*) = nullptr;

  void Resolve();
};

extern RealProcess g_real_process;

}  // namespace heapledger::preload
