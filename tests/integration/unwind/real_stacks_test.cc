// SPDX-License-Identifier: Apache-2.0
// Real stacks of this process, each walked by us and by libunwind from the same
// frame: every frame must agree and every walk must reach the end.
#include <alloca.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "preload/unwind/walker.h"
#include "tests/support/glibc_walk_env.h"
#include "tests/support/libunwind_stack.h"

namespace heapledger::testing {
namespace {

using unwind::StackBounds;
using unwind::WalkEnd;
using unwind::WalkResult;

constexpr std::uint32_t kMaxDepth = LibunwindStack::kMaxDepth;

// Counts of one scenario; a struct, as handlers run where gtest must not.
struct Tally {
  std::uint32_t checks = 0;
  std::uint32_t equal = 0;
  std::uint32_t complete = 0;
  std::uint32_t frame_pointers = 0;
  std::uint32_t deepest = 0;
  std::string first_difference;
};

Tally g_tally;
GlibcWalkEnv g_env;
thread_local StackBounds t_bounds;

std::string Describe(const std::uint64_t* ours, const WalkResult& result,
                     const LibunwindStack& theirs) {
  std::ostringstream text;
  text << std::hex;
  for (std::uint32_t i = 0; i < std::max(result.depth, theirs.depth); ++i) {
    text << "\n  " << (i < result.depth ? ours[i] : 0) << " | "
         << (i < theirs.depth ? theirs.frames[i] : 0);
  }
  text << "\n  end " << static_cast<int>(result.end) << " | "
       << (theirs.complete ? "complete" : "incomplete");
  return text.str();
}

// Compares the stack above its caller.
[[gnu::noinline]] void Check() {
  static std::uint64_t ours[kMaxDepth];
  static LibunwindStack theirs;
  const unwind::Registers start = HEAPLEDGER_CALLER_REGISTERS();
  TakeLibunwindStack(start.rsp, &theirs);
  const WalkResult result =
      unwind::Walk(g_env, start, t_bounds, ours, kMaxDepth);
  bool equal = result.depth == theirs.depth;
  for (std::uint32_t i = 0; equal && i < result.depth; ++i) {
    equal = (ours[i] & ~unwind::kExactPcBit) == theirs.frames[i];
  }
  ++g_tally.checks;
  g_tally.equal += equal ? 1 : 0;
  g_tally.complete += result.end == WalkEnd::kComplete ? 1 : 0;
  g_tally.frame_pointers += result.used_frame_pointers ? 1 : 0;
  g_tally.deepest = std::max(g_tally.deepest, result.depth);
  if ((!equal || result.end != WalkEnd::kComplete) &&
      g_tally.first_difference.empty()) {
    g_tally.first_difference = Describe(ours, result, theirs);
  }
}

class RealStacksTest : public ::testing::Test {
 protected:
  RealStacksTest() {
    g_tally = Tally();
    t_bounds = ThreadStackBounds();
  }

  void ExpectAgreement(std::uint32_t at_least) {
    EXPECT_GE(g_tally.checks, at_least);
    EXPECT_EQ(g_tally.equal, g_tally.checks) << g_tally.first_difference;
    EXPECT_EQ(g_tally.complete, g_tally.checks) << g_tally.first_difference;
  }
};

// Keeps a call from being a tail call, and its frame from being merged away.
#define KEEP_FRAME() asm volatile("" ::: "memory")

// Makes the compiler believe that the memory is used.
inline void Touch(void* memory) { asm volatile("" ::"r"(memory) : "memory"); }

[[gnu::noinline]] int Recurse(int depth) {
  if (depth == 0) {
    Check();
  } else {
    Recurse(depth - 1);
  }
  KEEP_FRAME();
  return depth;
}

TEST_F(RealStacksTest, DeepRecursion) {
  for (const int depth : {0, 1, 50, 300}) Recurse(depth);
  ExpectAgreement(4);
  EXPECT_GT(g_tally.deepest, 300U);
  EXPECT_EQ(g_tally.frame_pointers, 0U);
}

TEST_F(RealStacksTest, AStackDeeperThanMaxDepthIsTruncated) {
  Recurse(600);
  EXPECT_EQ(g_tally.complete, 0U);
  EXPECT_EQ(g_tally.deepest, kMaxDepth);
}

[[gnu::noinline]] void UseAlloca(int depth) {
  auto* block =
      static_cast<char*>(alloca(static_cast<std::size_t>(16 + depth * 40)));
  Touch(block);
  if (depth == 0) {
    Check();
  } else {
    UseAlloca(depth - 1);
  }
  Touch(block);
}

TEST_F(RealStacksTest, Alloca) {
  UseAlloca(40);
  ExpectAgreement(1);
}

template <std::size_t kAlign>
[[gnu::noinline]] void UseAligned(int depth) {
  alignas(kAlign) char block[kAlign];
  Touch(block);
  if (depth == 0) {
    Check();
  } else {
    UseAligned<kAlign>(depth - 1);
  }
  Touch(block);
}

template <std::size_t kAlign>
[[gnu::noinline]] void UseAlignedAlloca(int depth) {
  alignas(kAlign) char block[kAlign];
  auto* more =
      static_cast<char*>(alloca(static_cast<std::size_t>(24 + depth * 8)));
  Touch(block);
  Touch(more);
  if (depth == 0) {
    Check();
  } else {
    UseAlignedAlloca<kAlign>(depth - 1);
  }
  Touch(block);
  Touch(more);
}

TEST_F(RealStacksTest, OverAlignedFrames) {
  UseAligned<32>(10);
  UseAligned<64>(10);
  UseAligned<256>(10);
  UseAlignedAlloca<64>(10);
  ExpectAgreement(4);
}

[[gnu::noinline]] void UseLargeFrame(int depth) {
  char block[300 * 1024];
  Touch(block);
  if (depth == 0) {
    Check();
  } else {
    UseLargeFrame(depth - 1);
  }
  Touch(block);
}

TEST_F(RealStacksTest, LargeFrames) {
  UseLargeFrame(5);
  ExpectAgreement(1);
}

[[gnu::noinline]] double ManyRegisters(int depth, double a, double b, long c,
                                       long d, long e, long f, long g, long h) {
  if (depth == 0) {
    Check();
    return a;
  }
  const double inner =
      ManyRegisters(depth - 1, b, a, d, e, f, g, h, c) + std::sin(a);
  return inner + b + static_cast<double>(c + d * e - f + g * h);
}

TEST_F(RealStacksTest, ManyCalleeSavedRegistersAndStackArguments) {
  ManyRegisters(20, 1, 2, 3, 4, 5, 6, 7, 8);
  ExpectAgreement(1);
}

// --- The C and C++ libraries in between.

int CompareInts(const void* a, const void* b) {
  Check();
  return *static_cast<const int*>(a) - *static_cast<const int*>(b);
}

TEST_F(RealStacksTest, CallbacksFromTheCLibrary) {
  int values[] = {5, 3, 9, 1, 7};
  qsort(values, 5, sizeof values[0], CompareInts);
  const int key = 7;
  (void)bsearch(&key, values, 5, sizeof values[0], CompareInts);
  ExpectAgreement(6);
}

TEST_F(RealStacksTest, StandardAlgorithmsAndFunctions) {
  std::vector<int> values = {5, 3, 9, 1, 7, 8, 2};
  const std::function<bool(int, int)> less = [](int a, int b) {
    Check();
    return a < b;
  };
  std::sort(values.begin(), values.end(), less);
  std::stable_sort(values.begin(), values.end(),
                   [&less](int a, int b) { return less(a, b); });
  ExpectAgreement(10);
}

struct Checker {
  ~Checker() { Check(); }
};

[[gnu::noinline]] int Throw(int depth) {
  Checker checker;
  if (depth == 0) throw std::runtime_error("unwound");
  const int result = Throw(depth - 1) + 1;
  KEEP_FRAME();
  return result;
}

TEST_F(RealStacksTest, DestructorsAndHandlersOfAnExceptionInFlight) {
  try {
    Throw(10);
  } catch (const std::runtime_error&) {
    Check();
    try {
      Throw(3);
    } catch (const std::exception&) {
      Check();
    }
  }
  ExpectAgreement(17);
}

// --- Signals.

extern "C" void OnSignal(int) { Check(); }
extern "C" void OnSignalRaiseAgain(int) {
  Check();
  raise(SIGUSR2);
}

void Install(int signal, void (*handler)(int), int flags) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigaction(signal, &action, nullptr);
}

class AlternateStack {
 public:
  AlternateStack() {
    stack_t stack = {};
    stack.ss_sp = memory_.get();
    stack.ss_size = kBytes;
    sigaltstack(&stack, nullptr);
  }
  ~AlternateStack() {
    stack_t stack = {};
    stack.ss_flags = SS_DISABLE;
    sigaltstack(&stack, nullptr);
  }

 private:
  static constexpr std::size_t kBytes = 256 << 10;
  std::unique_ptr<char[]> memory_{new char[kBytes]};
};

TEST_F(RealStacksTest, SignalHandlersOnTheSameStack) {
  Install(SIGUSR1, OnSignal, 0);
  raise(SIGUSR1);
  kill(getpid(), SIGUSR1);
  ExpectAgreement(2);
}

TEST_F(RealStacksTest, SignalHandlersOnTheAlternateStack) {
  AlternateStack alternate;
  Install(SIGUSR1, OnSignalRaiseAgain, SA_ONSTACK);
  Install(SIGUSR2, OnSignal, SA_ONSTACK);
  raise(SIGUSR1);
  Install(SIGUSR2, OnSignal, 0);
  raise(SIGUSR1);
  ExpectAgreement(4);
}

std::uint64_t g_fault_page = 0;

extern "C" void OnFault(int) {
  Check();
  mprotect(reinterpret_cast<void*>(g_fault_page), 4096, PROT_READ | PROT_WRITE);
}

// Leaf functions interrupted in their body: the pc is exact there.
[[gnu::noinline]] long LeafWithSavedRegisters(volatile long* fault, long a,
                                              long b, long c) {
  const long x = *fault;
  return x + a * b + c;
}
[[gnu::noinline]] long FaultAtTheFirstInstruction(volatile long* fault) {
  return *fault;
}

TEST_F(RealStacksTest, FaultsInLeafFunctions) {
  void* const page =
      mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(page, MAP_FAILED);
  g_fault_page = reinterpret_cast<std::uint64_t>(page);
  AlternateStack alternate;
  for (const int flags : {0, SA_ONSTACK}) {
    Install(SIGSEGV, OnFault, flags);
    mprotect(page, 4096, PROT_NONE);
    LeafWithSavedRegisters(static_cast<volatile long*>(page), 1, 2, 3);
    mprotect(page, 4096, PROT_NONE);
    FaultAtTheFirstInstruction(static_cast<volatile long*>(page));
    mprotect(page, 4096, PROT_NONE);
    std::memset(page, 1, 100);
  }
  Install(SIGSEGV, SIG_DFL, 0);
  munmap(page, 4096);
  ExpectAgreement(6);
}

// Every instruction of some library calls, interrupted one by one. The switches
// are functions of their own with CFI for what they push.
asm(R"(
  .text
  .type start_single_steps, @function
start_single_steps:
  .cfi_startproc
  pushfq
  .cfi_adjust_cfa_offset 8
  orq $0x100, (%rsp)
  popfq
  .cfi_adjust_cfa_offset -8
  ret
  .cfi_endproc
  .size start_single_steps, . - start_single_steps
  .type end_single_steps, @function
end_single_steps:
  .cfi_startproc
  pushfq
  .cfi_adjust_cfa_offset 8
  andq $~0x100, (%rsp)
  popfq
  .cfi_adjust_cfa_offset -8
  ret
  .cfi_endproc
  .size end_single_steps, . - end_single_steps
)");
extern "C" void start_single_steps();
extern "C" void end_single_steps();

extern "C" void OnTrap(int) { Check(); }

int CompareWithoutCheck(const void* a, const void* b) {
  return *static_cast<const int*>(a) - *static_cast<const int*>(b);
}

TEST_F(RealStacksTest, SingleSteppedLibraryCalls) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer runtime would be stepped through";
#endif
  AlternateStack alternate;
  Install(SIGTRAP, OnTrap, SA_ONSTACK);
  char text[64];
  int values[] = {4, 2, 3, 1};
  start_single_steps();
  snprintf(text, sizeof text, "%d %s %.3f", 42, "words", 3.25);
  qsort(values, 4, sizeof values[0], CompareWithoutCheck);
  const double number = strtod("3.14159", nullptr);
  end_single_steps();
  Install(SIGTRAP, SIG_DFL, 0);
  EXPECT_GT(number, 3);
  std::printf("single-stepped %u: equal %u, complete %u\n", g_tally.checks,
              g_tally.equal, g_tally.complete);
  ExpectAgreement(1000);
}

// --- Other stacks.

TEST_F(RealStacksTest, Threads) {
  std::thread([] {
    t_bounds = ThreadStackBounds();
    Recurse(20);
    UseAligned<64>(3);
  }).join();
  ExpectAgreement(2);
}

ucontext_t g_main_context;
ucontext_t g_coroutine_context;

void Coroutine() {
  for (int i = 0; i < 5; ++i) {
    Recurse(i);
    UseAligned<64>(i);
    swapcontext(&g_coroutine_context, &g_main_context);
  }
}

TEST_F(RealStacksTest, Coroutines) {
  constexpr std::size_t kBytes = 256 << 10;
  const std::unique_ptr<char[]> stack(new char[kBytes]);
  getcontext(&g_coroutine_context);
  g_coroutine_context.uc_stack.ss_sp = stack.get();
  g_coroutine_context.uc_stack.ss_size = kBytes;
  g_coroutine_context.uc_link = &g_main_context;
  makecontext(&g_coroutine_context, Coroutine, 0);
  for (int i = 0; i < 5; ++i) {
    swapcontext(&g_main_context, &g_coroutine_context);
    Recurse(3);
  }
  ExpectAgreement(15);
}

TEST_F(RealStacksTest, WithoutKnownBoundsTheStackIsTheSame) {
  t_bounds = {};
  Recurse(50);
  UseAligned<64>(5);
  ExpectAgreement(2);
}

// --- Code without CFI.

class EmittedCode {
 public:
  explicit EmittedCode(const std::vector<std::uint8_t>& bytes)
      : page_(mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    std::memcpy(page_, bytes.data(), bytes.size());
  }
  ~EmittedCode() { munmap(page_, 4096); }
  void Call(void (*callee)()) const {
    void (*entry)(void (*)());
    std::memcpy(&entry, &page_, sizeof entry);
    entry(callee);
    KEEP_FRAME();
  }

 private:
  void* page_;
};

TEST_F(RealStacksTest, EmittedCodeWithAFramePointerIsFollowed) {
  // push rbp; mov rbp, rsp; call rdi; pop rbp; ret
  const EmittedCode code({0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3});
  code.Call([] {
    Check();
    KEEP_FRAME();
  });
  ExpectAgreement(1);
  EXPECT_EQ(g_tally.frame_pointers, 1U);
}

// --- Before main and after it.

Tally g_before_main = [] {
  g_tally = Tally();
  t_bounds = ThreadStackBounds();
  Recurse(3);
  return g_tally;
}();

TEST_F(RealStacksTest, StaticConstructors) {
  g_tally = g_before_main;
  ExpectAgreement(1);
}

// A forked child reports what its exit handlers saw by its exit status.
TEST_F(RealStacksTest, ExitHandlers) {
  EXPECT_EXIT(
      {
        g_tally = Tally();
        atexit([] {
          Recurse(3);
          _exit(g_tally.checks == 1 && g_tally.equal == 1 &&
                        g_tally.complete == 1
                    ? 7
                    : 1);
        });
        exit(0);
      },
      ::testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace heapledger::testing
