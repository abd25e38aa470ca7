// SPDX-License-Identifier: Apache-2.0
// Beginning and end: of the process, of an image, of a forked child, of a
// thread. Everything that may take long or fail is here, and happens once.
#pragma once

#include <atomic>
#include <cstdint>

#include "preload/config.h"
#include "preload/core/books.h"
#include "preload/segment.h"
#include "preload/target_env.h"

namespace heapledger::preload {

// Whether calls are booked. One word, on a page of its own that the kernel
// wipes in a forked child: so a child of fork(), of a raw fork system call or
// of clone() without CLONE_VM finds kCold and starts its own ledger before it
// books anything, whatever handlers ran or did not; a child that borrows our
// memory (vfork, CLONE_VM) goes on in ours, as its blocks do.
enum class Gate : std::uint32_t {
  kCold = 0,      // nothing known yet, or just forked
  kStarting = 1,  // somebody is at it: calls pass unbooked
  kActive = 2,
  kOff = 3,  // calls pass unbooked, for good
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
  Books<TargetEnv>* books = nullptr;
  bool off = false;
  std::uint64_t main_stack_high = 0;
};

extern GatePage g_gate;
extern Process* g_process;
// The calling thread's state: null before its first call, kThreadGone after its
// last destructor.
extern constinit thread_local ThreadState* t_state;
inline ThreadState* const kThreadGone = reinterpret_cast<ThreadState*>(1);

inline Gate CurrentGate() {
  return g_gate.gate.load(std::memory_order_acquire);
}

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

// Another set of modules may be mapped.
void ModulesChanged();

}  // namespace heapledger::preload
