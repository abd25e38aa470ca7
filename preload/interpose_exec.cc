// SPDX-License-Identifier: Apache-2.0
// The ways in which a program runs another one in its place. A scan that is on
// must be over by then: its signals would find no handler, and kill.
//
// Written down by instruction, as some take any number of arguments: all
// registers of arguments are as they came when the real function is reached, by
// a jump.
#include "preload/interpose.h"
#include "preload/live_scan.h"
#include "preload/real_process.h"

using heapledger::preload::g_real_process;
using heapledger::preload::StopLiveScanBeforeExec;

#define HEAPLEDGER_EXEC(name, place)     \
  asm(".pushsection .text\n"             \
      ".globl " name                     \
      "\n"                               \
      ".type " name ", @function\n" name \
      ":\n"                              \
      "  .cfi_startproc\n"               \
      "  push %rdi\n"                    \
      "  push %rsi\n"                    \
      "  push %rdx\n"                    \
      "  push %rcx\n"                    \
      "  push %r8\n"                     \
      "  push %r9\n"                     \
      "  push %rax\n"                    \
      "  .cfi_adjust_cfa_offset 56\n"    \
      "  mov $" place                    \
      ", %edi\n"                         \
      "  call heapledger_step_exec\n"    \
      "  mov %rax, %r11\n"               \
      "  pop %rax\n"                     \
      "  pop %r9\n"                      \
      "  pop %r8\n"                      \
      "  pop %rcx\n"                     \
      "  pop %rdx\n"                     \
      "  pop %rsi\n"                     \
      "  pop %rdi\n"                     \
      "  .cfi_adjust_cfa_offset -56\n"   \
      "  jmp *%r11\n"                    \
      "  .cfi_endproc\n"                 \
      ".size " name ", . - " name        \
      "\n"                               \
      ".popsection\n")

HEAPLEDGER_EXEC("execve", "0");
HEAPLEDGER_EXEC("execv", "1");
HEAPLEDGER_EXEC("execvp", "2");
HEAPLEDGER_EXEC("execvpe", "3");
HEAPLEDGER_EXEC("execl", "4");
HEAPLEDGER_EXEC("execle", "5");
HEAPLEDGER_EXEC("execlp", "6");
HEAPLEDGER_EXEC("fexecve", "7");
HEAPLEDGER_EXEC("execveat", "8");

extern "C" __attribute__((visibility("hidden"), used, noinline)) void*
heapledger_step_exec(int place) {
  StopLiveScanBeforeExec();
  if (g_real_process.exec[place] == nullptr) g_real_process.Resolve();
  return g_real_process.exec[place];
}
