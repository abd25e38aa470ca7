// SPDX-License-Identifier: Apache-2.0
// The ways in which a program ends itself, and main, whose return is one: libc
// calls its own exit() then, which nobody can stand before.
//
// The exported functions are written down by instruction: the registers that a
// call keeps must be taken as the program left them, and the real function is
// reached by a jump, so that stacks of what runs at the end look as without us.
#include <stdlib.h>
#include <sys/syscall.h>

#include "preload/exit_scan.h"
#include "preload/interpose.h"
#include "preload/raw_io.h"
#include "preload/real_process.h"

using heapledger::preload::CallerState;
using heapledger::preload::ExitBegins;
using heapledger::preload::ExitEnds;
using heapledger::preload::g_real_process;
using heapledger::preload::ProcessExits;
using heapledger::preload::ProcessOrBorrowerExits;
using heapledger::preload::RealProcess;
using heapledger::preload::ScansAtExit;
using heapledger::preload::WatchTheEnd;

static_assert(offsetof(CallerState, rsp) == 48);

// Puts a CallerState on the stack of a function that has not touched it yet,
// with 24 bytes above it to keep something in. rsp stays a multiple of 16.
#define HEAPLEDGER_SAVE_CALLER    \
  "  sub $72, %rsp\n"             \
  "  .cfi_adjust_cfa_offset 72\n" \
  "  mov %rbx, (%rsp)\n"          \
  "  mov %rbp, 8(%rsp)\n"         \
  "  mov %r12, 16(%rsp)\n"        \
  "  mov %r13, 24(%rsp)\n"        \
  "  mov %r14, 32(%rsp)\n"        \
  "  mov %r15, 40(%rsp)\n"        \
  "  lea 72(%rsp), %rax\n"        \
  "  mov %rax, 48(%rsp)\n"
#define HEAPLEDGER_DROP_CALLER \
  "  add $72, %rsp\n"          \
  "  .cfi_adjust_cfa_offset -72\n"
#define HEAPLEDGER_FUNCTION(name, body)  \
  asm(".pushsection .text\n"             \
      ".globl " name                     \
      "\n"                               \
      ".type " name ", @function\n" name \
      ":\n"                              \
      "  .cfi_startproc\n" body          \
      "  .cfi_endproc\n"                 \
      ".size " name ", . - " name        \
      "\n"                               \
      ".popsection\n")

// A function that ends the process: `step` is told of the caller, and says
// where to go on.
#define HEAPLEDGER_ENDING(name, step)                                 \
  HEAPLEDGER_FUNCTION(name, HEAPLEDGER_SAVE_CALLER                    \
                      "  mov %edi, 56(%rsp)\n"                        \
                      "  mov %rsp, %rdi\n"                            \
                      "  call " step                                  \
                      "\n"                                            \
                      "  mov 56(%rsp), %edi\n" HEAPLEDGER_DROP_CALLER \
                      "  jmp *%rax\n")

HEAPLEDGER_ENDING("exit", "heapledger_step_exit");
HEAPLEDGER_ENDING("quick_exit", "heapledger_step_quick_exit");
HEAPLEDGER_ENDING("_exit", "heapledger_step_exit_now");
HEAPLEDGER_ENDING("_Exit", "heapledger_step_exit_now");

// main(argc, argv, envp), as libc sees it where a scan is asked for.
HEAPLEDGER_FUNCTION("heapledger_main", HEAPLEDGER_SAVE_CALLER
                    "  mov %edi, 48(%rsp)\n"
                    "  mov %rsi, 56(%rsp)\n"
                    "  mov %rdx, 64(%rsp)\n"
                    "  call heapledger_step_main\n"
                    "  mov 48(%rsp), %edi\n"
                    "  mov 56(%rsp), %rsi\n"
                    "  mov 64(%rsp), %rdx\n"
                    "  call *%rax\n"
                    "  mov %eax, 56(%rsp)\n"
                    "  lea 72(%rsp), %rax\n"
                    "  mov %rax, 48(%rsp)\n"
                    "  movq $0, 64(%rsp)\n"
                    "  mov %rsp, %rdi\n"
                    "  call heapledger_step_main_returned\n"
                    "  mov 56(%rsp), %eax\n" HEAPLEDGER_DROP_CALLER "  ret\n");
asm(".hidden heapledger_main");

// A handler of exit() that runs early: before destructors of what was made
// before main.
HEAPLEDGER_FUNCTION(
    "heapledger_early_handler", HEAPLEDGER_SAVE_CALLER
    "  mov %rsp, %rdi\n"
    "  call heapledger_step_early_handler\n" HEAPLEDGER_DROP_CALLER "  ret\n");
asm(".hidden heapledger_early_handler");

#define HEAPLEDGER_STEP \
  extern "C" __attribute__((visibility("hidden"), used, noinline))

using Ending = void (*)(int);
using Main = RealProcess::Main;

extern "C" __attribute__((visibility("hidden"))) int heapledger_main(int,
                                                                     char**,
                                                                     char**);
extern "C" __attribute__((visibility("hidden"))) void heapledger_early_handler(
    void*);
extern "C" int __cxa_atexit(void (*handler)(void*), void* argument,
                            void* object);

namespace {

constinit Main g_main = nullptr;

void ExitByKernel(int status) {
  for (;;) heapledger::preload::raw::Call(SYS_exit_group, status);
}

Ending OrByKernel(Ending real) { return real != nullptr ? real : ExitByKernel; }

}  // namespace

HEAPLEDGER_STEP Ending heapledger_step_exit(const CallerState* caller) {
  ExitBegins(*caller);
  return OrByKernel(g_real_process.exit);
}

HEAPLEDGER_STEP Ending heapledger_step_quick_exit(const CallerState* caller) {
  ExitBegins(*caller);
  ProcessExits();
  return OrByKernel(g_real_process.quick_exit);
}

HEAPLEDGER_STEP Ending heapledger_step_exit_now(const CallerState* caller) {
  ExitBegins(*caller);
  if (ScansAtExit()) ExitEnds();
  ProcessOrBorrowerExits();
  return OrByKernel(g_real_process.exit_now);
}

HEAPLEDGER_STEP Main heapledger_step_main() {
  // libc's own calls of exit() (after the last thread's end, in err()) are
  // noticed here, after the handlers that the program registers from now on.
  __cxa_atexit(heapledger_early_handler, nullptr, nullptr);
  return g_main;
}

HEAPLEDGER_STEP void heapledger_step_main_returned(const CallerState* caller) {
  ExitBegins(*caller);
}

HEAPLEDGER_STEP void heapledger_step_early_handler(const CallerState* caller) {
  ExitBegins(*caller);
}

// Called by the program's first instructions; reaches libc's by a jump.
HEAPLEDGER_EXPORT int __libc_start_main(Main main, int argc, char** argv,
                                        void (*init)(), void (*fini)(),
                                        void (*loader_fini)(),
                                        void* stack_end) {
  if (g_real_process.start_main == nullptr) g_real_process.Resolve();
  if (ScansAtExit()) {
    WatchTheEnd();
    g_main = main;
    main = heapledger_main;
  }
  return g_real_process.start_main(main, argc, argv, init, fini, loader_fini,
                                   stack_end);
}
