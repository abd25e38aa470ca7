// SPDX-License-Identifier: Apache-2.0
// The next definitions of what else we export. Looked up once at the start:
// dlsym takes the loader's lock, and _exit may be called from anywhere.
#pragma once

namespace heapledger::preload {

// The ways to run another program, in the order of kExecNames.
inline constexpr const char* kExecNames[] = {"execve",  "execv",   "execvp",
                                             "execvpe", "execl",   "execle",
                                             "execlp",  "fexecve", "execveat"};
inline constexpr int kExecCalls = sizeof kExecNames / sizeof *kExecNames;

struct RealProcess {
  using Main = int (*)(int, char**, char**);

  int (*start_main)(Main, int, char**, void (*)(), void (*)(), void (*)(),
                    void*) = nullptr;  // __libc_start_main
  void (*exit)(int) = nullptr;
  void (*exit_now)(int) = nullptr;  // _exit
  void (*quick_exit)(int) = nullptr;
  int (*dlclose)(void*) = nullptr;
  int (*prctl)(int, unsigned long, unsigned long, unsigned long,
               unsigned long) = nullptr;
  void* exec[kExecCalls] = {};  // by the place in kExecNames
  long (*syscall)(long, long, long, long, long, long, long) = nullptr;

  void Resolve();
};

extern RealProcess g_real_process;

}  // namespace heapledger::preload
