// SPDX-License-Identifier: Apache-2.0
// Allocates at every step of stacks that change in every way that stacks can
// change while words of older ones remain. For the checking shim, which
// compares each stack with a plain walk. Arguments: rounds, two plugins, and
// "safe" where malloc may be called from a handler that interrupted it
// (signal_safe_malloc.c): then handlers allocate anywhere, and leave from
// there. Prints sums that depend on nothing but the rounds.
#include "stack_reuse.h"

#include <alloca.h>
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace {

[[noreturn]] void Fail(const char* what) {
  std::printf("%s failed\n", what);
  std::fflush(stdout);
  _exit(3);
}

// --- Recursion. Everything random is a function of the seed.

unsigned Step(unsigned seed, int depth);

__attribute__((noinline)) unsigned Plain(unsigned seed, int depth) {
  const unsigned mine = Touch(seed);
  return Step(seed + 1, depth - 1) + mine;
}

__attribute__((noinline)) unsigned Twice(unsigned seed, int depth) {
  unsigned mine = Touch(seed) + Touch(seed + 9);
  mine += Step(seed + 2, depth - 2);
  mine += Touch(seed + 1);
  return mine + Step(seed + 3, depth - 3);
}

__attribute__((noinline)) unsigned Alloca(unsigned seed, int depth) {
  unsigned mine = Touch(seed);
  for (unsigned i = 0; i < seed % 4; ++i) {
    auto* const more = static_cast<char*>(alloca(seed % 200 + 1));
    std::memset(more, 1, seed % 200 + 1);
    __asm__ volatile("" : : "r"(more) : "memory");
    mine += Touch(seed + i);
  }
  return Step(seed + 4, depth - 1) + mine;
}

__attribute__((noinline)) unsigned Aligned(unsigned seed, int depth) {
  alignas(64) volatile unsigned words[16];
  words[seed % 16] = seed;
  if (reinterpret_cast<std::uintptr_t>(words) % 64 != 0) Fail("alignas");
  const unsigned mine = Touch(seed) + words[seed % 16];
  return Step(seed + 5, depth - 1) + mine;
}

// Realigned, and with arguments on the stack: the compiler keeps the CFA in
// memory.
__attribute__((noinline)) unsigned AlignedMany(unsigned seed, int depth, long a,
                                               long b, long c, long d, long e,
                                               long f) {
  alignas(128) volatile long words[32];
  words[seed % 32] = a + b + c + d + e + f;
  auto* const more = static_cast<char*>(alloca(seed % 99 + 1));
  __asm__ volatile("" : : "r"(more), "r"(words) : "memory");
  const unsigned mine = Touch(seed) + static_cast<unsigned>(words[seed % 32]);
  return Step(seed + 6, depth - 1) + mine;
}

__attribute__((noinline)) unsigned Large(unsigned seed, int depth) {
  volatile char array[5000];
  array[seed % 5000] = 1;
  const unsigned mine = Touch(seed) + static_cast<unsigned>(array[seed % 5000]);
  return Step(seed + 7, depth - 1) + mine;
}

// Uses rbp for something else, so that it is garbage for whoever trusts it.
__attribute__((noinline)) unsigned Clobbers(unsigned seed, int depth) {
  unsigned mine = Touch(seed);
  __asm__ volatile("" : : : "rbp", "rbx", "r12", "r13", "r14", "r15");
  mine += Step(seed + 8, depth - 1);
  __asm__ volatile("" : : : "rbp", "rbx", "r12", "r13", "r14", "r15");
  return mine;
}

struct Cut {
  unsigned seed;
};

// Set where malloc may be at work, so that a handler keeps out of it.
thread_local volatile sig_atomic_t t_in_malloc = 0;
// Whether malloc may be called from a handler that interrupted it.
bool g_malloc_is_signal_safe = false;

[[noreturn]] void Throw(unsigned seed) {
  t_in_malloc = 1;
  throw Cut{seed};
}

__attribute__((noinline)) unsigned Catches(unsigned seed, int depth) {
  unsigned mine = Touch(seed);
  try {
    mine += Step(seed + 10, depth - 1);
    if (seed % 16 == 0) Throw(seed);
  } catch (const Cut& cut) {
    t_in_malloc = 1;
    mine += cut.seed;
  }
  t_in_malloc = 0;
  return mine + Touch(seed + 1);
}

using MadeFunction = unsigned (*)(unsigned, int, Next);
MadeFunction g_made[2];  // without and with a frame pointer

unsigned Step(unsigned seed, int depth) {
  if (depth <= 0) return Touch(seed);
  if (depth > 3 && seed % 997 == 0) Throw(seed);
  switch ((seed * 2654435761U) >> 28) {
    case 0:
    case 1:
      return Alloca(seed, depth);
    case 2:
      return Aligned(seed, depth);
    case 3:
      return AlignedMany(seed, depth, 1, 2, 3, 4, 5, 6);
    case 4:
      return seed % 8 == 0 ? Large(seed, depth) : Plain(seed, depth);
    case 5:
      return WithFramePointer(seed, depth - 1, Step);
    case 6:
      return WithFramePointerAndArray(seed, depth - 1, Step);
    case 7:
      return PassesOn(seed, depth - 1, Step);
    case 8:
    case 9:
      return Clobbers(seed, depth);
    case 10:
      return Catches(seed, depth);
    case 11:
      return Twice(seed, depth);
    case 12:
      return seed % 32 == 0 ? g_made[seed / 32 % 2](seed, depth - 1, Step)
                            : Plain(seed, depth);
    default:
      return Plain(seed, depth);
  }
}

__attribute__((noinline)) unsigned Recurse(unsigned seed, int depth) {
  unsigned sum = Touch(seed);
  try {
    sum += Step(seed, depth);
  } catch (const Cut& cut) {
    t_in_malloc = 1;
    sum += cut.seed;
  }
  t_in_malloc = 0;
  return sum + Touch(seed + 1);
}

// Calls that reach the same addresses by way of other callers.
__attribute__((noinline)) unsigned OneWay(unsigned seed, int depth) {
  return Recurse(seed, depth) + Touch(seed);
}
__attribute__((noinline)) unsigned OtherWay(unsigned seed, int depth) {
  return Recurse(seed, depth) - Touch(seed);
}

unsigned Recursion(unsigned rounds) {
  unsigned sum = 0;
  for (unsigned i = 0; i < rounds; ++i) {
    const int depth = i % 50 == 0 ? 300 : static_cast<int>(i % 30);
    sum += i % 2 == 0 ? OneWay(i * 7, depth) : OtherWay(i * 7, depth);
  }
  return sum;
}

// --- Jumps.

jmp_buf g_back;

__attribute__((noinline)) unsigned JumpFrom(unsigned seed, int depth) {
  const unsigned mine = Touch(seed);
  if (depth == 0) longjmp(g_back, 1);
  volatile char array[48];
  array[seed % 48] = 1;
  const unsigned more = depth < 0 ? 0 : JumpFrom(seed + 1, depth - 1);
  return more + mine + static_cast<unsigned>(array[0]);
}

unsigned Jumps(unsigned rounds) {
  volatile unsigned sum = 0;
  volatile unsigned i = 0;
  while (i < rounds) {
    if (setjmp(g_back) == 0) sum = sum + JumpFrom(i, static_cast<int>(i % 40));
    sum = sum + Touch(i);
    sum = sum + Recurse(i, static_cast<int>(i % 7));
    i = i + 1;
  }
  return sum;
}

// --- Signals. What handlers allocate is not part of the sum.

// Frames of the handler, to vary what lies on its stack.
__attribute__((noinline)) unsigned InHandler(unsigned seed, int depth) {
  volatile char array[40];
  array[seed % 40] = 0;
  const unsigned mine = Touch(seed) + static_cast<unsigned>(array[seed % 40]);
  return depth == 0 ? mine : InHandler(seed + 1, depth - 1) + mine;
}

std::atomic<unsigned> g_signals{0};
thread_local sigjmp_buf t_out;
thread_local volatile sig_atomic_t t_jump = 0;

void Handler(int) {
  if (t_in_malloc != 0 && !g_malloc_is_signal_safe) return;
  const unsigned seed = g_signals.fetch_add(1);
  (void)InHandler(seed, static_cast<int>(seed % 6));
  if (t_jump != 0 && seed % 4 == 0) siglongjmp(t_out, 1);
}

void OnSignal(int signal, bool on_other_stack) {
  struct sigaction action = {};
  action.sa_handler = Handler;
  action.sa_flags = SA_RESTART | (on_other_stack ? SA_ONSTACK : 0);
  sigaction(signal, &action, nullptr);
}

void SetTimer(int microseconds) {
  const itimerval timer = {{0, microseconds}, {0, microseconds}};
  setitimer(ITIMER_REAL, &timer, nullptr);
}

// Raised at known places, with the stack of the handler where `area` is.
unsigned Raises(unsigned rounds) {
  volatile unsigned sum = 0;
  volatile unsigned i = 0;
  while (i < rounds) {
    sum = sum + Recurse(i, static_cast<int>(i % 9));
    if (sigsetjmp(t_out, 1) == 0) {
      t_jump = i % 8 == 3;
      if (t_jump != 0) (void)Recurse(i, 20);  // the timer may cut it off
      raise(SIGUSR1);
    }
    t_jump = 0;
    t_in_malloc = 0;
    sum = sum + Touch(i);
    i = i + 1;
  }
  return sum;
}

unsigned OnAlternateStack(char* area, std::size_t bytes, unsigned rounds) {
  stack_t stack = {};
  stack.ss_sp = area;
  stack.ss_size = bytes;
  sigaltstack(&stack, nullptr);
  OnSignal(SIGUSR1, true);
  OnSignal(SIGALRM, true);
  SetTimer(100);
  unsigned sum = Raises(rounds) + Recursion(rounds);
  SetTimer(0);
  stack.ss_flags = SS_DISABLE;
  sigaltstack(&stack, nullptr);
  return sum;
}

char* Map(std::size_t bytes, void* at = nullptr) {
  void* const memory = mmap(
      at, bytes, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS | (at != nullptr ? MAP_FIXED : 0), -1, 0);
  if (memory == MAP_FAILED) Fail("mmap");
  return static_cast<char*>(memory);
}

constexpr std::size_t kAltStack = 64 << 10;

unsigned Signals(unsigned rounds) {
  OnSignal(SIGUSR1, false);
  OnSignal(SIGALRM, false);
  SetTimer(100);
  unsigned sum = Raises(rounds) + Recursion(rounds);
  SetTimer(0);
  // On this stack itself, below the heap's addresses, and above a thread's.
  char here[kAltStack];
  sum += OnAlternateStack(here, sizeof here, rounds);
  static char below[kAltStack];
  sum += OnAlternateStack(below, sizeof below, rounds);
  char* const above = Map(kAltStack);
  unsigned of_thread = 0;
  std::thread([&] {
    of_thread = OnAlternateStack(above, kAltStack, rounds);
  }).join();
  munmap(above, kAltStack);
  return sum + of_thread;
}

// --- Coroutines.

ucontext_t g_scheduler;
ucontext_t g_coroutine;
unsigned g_coroutine_sum;

unsigned YieldInside(unsigned seed, int depth) {
  g_coroutine_sum += Touch(seed);
  swapcontext(&g_coroutine, &g_scheduler);
  return Touch(seed + 1) + static_cast<unsigned>(depth);
}

void Coroutine(unsigned seed) {
  g_coroutine_sum += Recurse(seed, 8);
  g_coroutine_sum += PassesOn(seed, 3, YieldInside);
  g_coroutine_sum += WithFramePointerAndArray(seed, 3, YieldInside);
  g_coroutine_sum += Recurse(seed + 1, 5);
}

void OtherCoroutine(unsigned seed) {
  g_coroutine_sum += Recurse(seed, 4);
  g_coroutine_sum += WithFramePointer(seed, 2, YieldInside);
  g_coroutine_sum += Touch(seed);
}

unsigned Coroutines(unsigned rounds) {
  constexpr std::size_t kLarge = 256 << 10;
  constexpr std::size_t kSmall = 64 << 10;
  volatile unsigned sum = 0;
  // A page on either side that cannot be read.
  char* const area = Map(kLarge + 8192);
  munmap(area, kLarge + 8192);
  for (unsigned i = 0; i < rounds; ++i) {
    // Smaller the second time; every third time nearer to the end.
    const std::size_t bytes = i % 2 == 0 ? kLarge : kSmall;
    char* const at = area + 4096 + (i % 3 == 0 ? kLarge - bytes : 0);
    char* const stack = Map(bytes, at);
    mprotect(Map(4096, stack - 4096), 4096, PROT_NONE);
    mprotect(Map(4096, stack + bytes), 4096, PROT_NONE);
    getcontext(&g_coroutine);
    g_coroutine.uc_stack.ss_sp = stack;
    g_coroutine.uc_stack.ss_size = bytes;
    g_coroutine.uc_link = &g_scheduler;
    makecontext(
        &g_coroutine,
        reinterpret_cast<void (*)()>(i % 5 == 0 ? OtherCoroutine : Coroutine),
        1, i);
    g_coroutine_sum = 0;
    for (int turn = 0; turn < (i % 5 == 0 ? 2 : 3); ++turn) {
      swapcontext(&g_scheduler, &g_coroutine);
      sum = sum + Recurse(i, static_cast<int>(i % 5));
    }
    sum = sum + g_coroutine_sum;
    munmap(stack - 4096, bytes + 8192);
  }
  return sum;
}

// --- Threads.

unsigned OfThread(unsigned seed) {
  unsigned sum = 0;
  for (unsigned i = 0; i < 20; ++i) {
    sum += seed % 2 == 0 ? OneWay(seed + i, static_cast<int>(seed % 20))
                         : Recurse(seed + i, static_cast<int>(i % 15));
  }
  return sum;
}

unsigned Threads(unsigned rounds) {
  unsigned sum = 0;
  for (unsigned i = 0; i < rounds; ++i) {
    unsigned parts[3] = {};
    std::thread first([&] { parts[0] = OfThread(i); });
    std::thread second([&, i] { parts[1] = OfThread(i * 3) + Touch(i); });
    if (i % 2 == 0) first.join();
    std::thread third([&] { parts[2] = OfThread(i + 1); });
    if (first.joinable()) first.join();
    second.join();
    third.join();
    sum += parts[0] + parts[1] + parts[2];
  }
  return sum;
}

// --- Plugins.

__attribute__((noinline)) unsigned CallPlugin(const char* path, unsigned seed,
                                              std::uintptr_t* where) {
  void* const plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (plugin == nullptr) Fail("dlopen");
  const auto call = reinterpret_cast<MadeFunction>(dlsym(plugin, "PluginCall"));
  if (call == nullptr) Fail("dlsym");
  *where = reinterpret_cast<std::uintptr_t>(call);
  unsigned sum = 0;
  for (unsigned i = 0; i < 4; ++i) {
    sum += call(seed, 2, Recurse) + call(seed + i, 3, Recurse);
  }
  dlclose(plugin);
  return sum;
}

unsigned Plugins(unsigned rounds, const char* a, const char* b) {
  unsigned sum = 0;
  unsigned same = 0;
  std::uintptr_t last = 0;
  for (unsigned i = 0; i < rounds; ++i) {
    std::uintptr_t where = 0;
    sum += CallPlugin(i % 2 == 0 ? a : b, i, &where);
    if (where == last) ++same;
    last = where;
  }
  if (same < rounds / 2) Fail("mapping plugins where others were");
  return sum;
}

// --- Code made at run time, without CFI.

void MakeCode() {
  // Both call their third argument with the first two, less one level.
  static const unsigned char kPlain[] = {
      0x48, 0x83, 0xec, 0x18,  // sub $24, %rsp
      0xff, 0xd2,              // call *%rdx
      0x48, 0x83, 0xc4, 0x18,  // add $24, %rsp
      0xc3};
  static const unsigned char kFramed[] = {0x55,              // push %rbp
                                          0x48, 0x89, 0xe5,  // mov %rsp, %rbp
                                          0x48, 0x83, 0xec,
                                          0x20,        // sub $32, %rsp
                                          0xff, 0xd2,  // call *%rdx
                                          0xc9,        // leave
                                          0xc3};
  void* const code = mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (code == MAP_FAILED) Fail("mmap of code");
  std::memcpy(code, kPlain, sizeof kPlain);
  std::memcpy(static_cast<char*>(code) + 64, kFramed, sizeof kFramed);
  g_made[0] = reinterpret_cast<MadeFunction>(code);
  g_made[1] = reinterpret_cast<MadeFunction>(static_cast<char*>(code) + 64);
}

unsigned MadeCode(unsigned rounds) {
  unsigned sum = 0;
  for (unsigned i = 0; i < rounds; ++i) {
    sum += g_made[i % 2](i, static_cast<int>(i % 6), Recurse);
    sum += WithFramePointer(i, 2, Recurse);
  }
  return sum;
}

}  // namespace

unsigned Touch(unsigned seed) {
  t_in_malloc = 1;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  auto* const block =
      static_cast<volatile unsigned char*>(std::malloc(seed % 64 + 8));
  block[0] = static_cast<unsigned char>(seed);
  const unsigned read = block[0];
  std::free(const_cast<unsigned char*>(block));
  std::atomic_signal_fence(std::memory_order_seq_cst);
  t_in_malloc = 0;
  return read;
}

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const auto rounds = static_cast<unsigned>(std::strtoul(argv[1], nullptr, 10));
  g_malloc_is_signal_safe = argc > 4 && std::strcmp(argv[4], "safe") == 0;
  MakeCode();
  std::printf("recursion %u\n", Recursion(rounds * 4));
  std::printf("jumps %u\n", Jumps(rounds));
  std::printf("coroutines %u\n", Coroutines(rounds));
  std::printf("threads %u\n", Threads(rounds / 10));
  std::printf("plugins %u\n", Plugins(rounds / 10, argv[2], argv[3]));
  std::printf("code %u\n", MadeCode(rounds));
  std::printf("signals %u\n", Signals(rounds));
  if (g_signals.load() < rounds) Fail("raising signals");
  return 0;
}
