// SPDX-License-Identifier: Apache-2.0
// Beginning and end: of the process, of an image, of a forked child, of a
// thread. Everything that may take long or fail is here, and happens once.
#pragma once

#include <atomic>
#include <cstdint>

#include "preload/config.h"
#include "preload/core/books.h"
#include "preload/core/sample_filter.h"
#include "preload/segment.h"
#include "preload/target_env.h"

// Variables that the hot path reads: without it each would cost a load more.
#define HEAPLEDGER_HIDDEN [[gnu::visibility("hidden")]]

namespace heapledger::preload {

// What calls do. One word, on a page of its own that the kernel
// wipes in a forked child: so a child of fork(), of a raw fork system call or
// of clone() without CLONE_VM finds kCold and starts its own ledger before it
// books anything, whatever handlers ran or did not; a child that borrows our
// memory (vfork, CLONE_VM) goes on in ours, as its blocks do.
enum class Gate : std::uint32_t {
  kCold = 0,      // nothing known yet, or just forked
  kStarting = 1,  // somebody is at it: calls pass unbooked
  kOff = 2,       // calls pass unbooked, for good
  // From here on there is a ledger.
  kDormant = 3,   // nothing is booked, nothing was
  kDraining = 4,  // no new block is booked; those that were are followed
  kSampling = 5,
  // From here on every block is booked.
  kAdaptive = 6,  // full stacks only where they matter
  kPython = 7,    // full stacks, with Python frames
  kActive = 8,
};

struct alignas(4096) GatePage {
  std::atomic<Gate> gate{Gate::kCold};
};
static_assert(sizeof(GatePage) == 4096);

// What a process has once; in private memory, copied by fork.
struct Process {
  Config config;
  Identity identity;
  Segment segment;
  TargetEnv env;
  ObjectMap objects;
  ThreadPool threads;
  bool off = false;
  std::atomic<Gate> armed_gate;  // as the settings want it
  std::atomic<Gate> gate;  // as it is, for a forked child: dormant or more
  // Blocks may be about that were allocated while we were dormant.
  std::atomic<bool> armed_late;
  // Adaptive: there is a clock that needs no system call.
  bool has_clock = false;
  // Adaptive: no stack is cut before this second (of Seconds()).
  std::atomic<std::uint32_t> full_until;
  std::uint64_t main_stack_high = 0;
};

HEAPLEDGER_HIDDEN extern GatePage g_gate;
HEAPLEDGER_HIDDEN extern Process* g_process;
// The books of this process; a forked child opens its own. Set before the gate
// opens.
HEAPLEDGER_HIDDEN extern Books<TargetEnv>* g_books;
// The calling thread's state: null before its first call, kThreadGone after its
// last destructor.
HEAPLEDGER_HIDDEN extern constinit thread_local ThreadState* t_state;
inline ThreadState* const kThreadGone = reinterpret_cast<ThreadState*>(1);

inline Gate CurrentGate() {
  // An acquire, in a form that costs one instruction.
  const Gate gate = *reinterpret_cast<const volatile Gate*>(&g_gate.gate);
  std::atomic_signal_fence(std::memory_order_acquire);
  return gate;
}

// Samples, where there are any.
HEAPLEDGER_HIDDEN extern SampleFilter g_samples;
// The control word of the ledger; a word of zero before there is one.
HEAPLEDGER_HIDDEN extern const ledger::AtomicU64* g_control;

// Seconds of a clock that only grows; roughly.
std::uint32_t Seconds();

// Does what the control word asks for, if anything.
void ServeControl();

// Brings the shim from kCold to kActive or kOff, or does nothing. Safe from any
// thread and from a signal handler. An allocation call proves that calls reach
// us; when we are merely loaded behind another malloc, that is waited for.
enum class Cause { kLoaded, kAllocation };
void Start(Cause cause);

// A state for a thread that has none; null when there is none to be had.
ThreadState* AttachThread();

// Marks the ledger as ended by the program itself. No system call: a program
// that shut itself in by seccomp ends as it would without us.
void ProcessExits();

// The same where the caller may be a child that borrows our memory (vfork) and
// ends alone. Asks for the pid.
void ProcessOrBorrowerExits();

// From now on stacks hold Python frames, or no longer do, where the settings
// have every block booked with its full stack.
void EnterPython();
void LeavePython();

// Another set of modules may be mapped.
void ModulesChanged();

}  // namespace heapledger::preload
