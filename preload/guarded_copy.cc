// SPDX-License-Identifier: Apache-2.0
#include "preload/guarded_copy.h"

#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "preload/kernel_action.h"
#include "preload/raw_io.h"

// A loop and no string instruction: most copies are of a few words.
asm(".pushsection .text\n"
    ".globl heapledger_copy_words\n"
    ".hidden heapledger_copy_words\n"
    ".type heapledger_copy_words, @function\n"
    "heapledger_copy_words:\n"
    "  test %rdx, %rdx\n"
    "  jz 2f\n"
    "1:\n"
    "heapledger_copy_load:\n"
    "  mov (%rsi), %rax\n"
    "  mov %rax, (%rdi)\n"
    "  add $8, %rsi\n"
    "  add $8, %rdi\n"
    "  dec %rdx\n"
    "  jnz 1b\n"
    "2:\n"
    "  mov $1, %eax\n"
    "  ret\n"
    "heapledger_copy_refused:\n"
    "  xor %eax, %eax\n"
    "  ret\n"
    ".size heapledger_copy_words, . - heapledger_copy_words\n"
    ".popsection\n");
extern "C" __attribute__((visibility("hidden"))) char heapledger_copy_load[];
extern "C" __attribute__((visibility("hidden"))) char heapledger_copy_refused[];

namespace heapledger::preload {
namespace {

void OnFault(int, siginfo_t*, void* context) {
  auto& rip = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP];
  if (rip != reinterpret_cast<long>(heapledger_copy_load)) {
    for (;;) raw::Call(SYS_exit_group, 1);
  }
  rip = reinterpret_cast<long>(heapledger_copy_refused);
}

}  // namespace

void GuardCopies() {
  const KernelAction action = KernelAction::Of(
      reinterpret_cast<void*>(&OnFault), SA_SIGINFO | SA_NODEFER);
  for (const int signal : {SIGSEGV, SIGBUS}) {
    raw::Call(SYS_rt_sigaction, signal, reinterpret_cast<long>(&action), 0,
              sizeof action.mask);
  }
}

}  // namespace heapledger::preload
