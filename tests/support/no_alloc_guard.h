// SPDX-License-Identifier: Apache-2.0
// Aborts the test when its scope allocates: the promise of everything that runs
// inside the target. Linking heapledger_no_alloc_guard replaces malloc in the
// test binary; in a sanitized build, whose runtime owns malloc, the guard does
// nothing.
//
// Thread safety: a guard watches the thread that made it.
#pragma once

namespace heapledger::testing {

class NoAllocGuard {
 public:
  NoAllocGuard() { depth_ = depth_ + 1; }
  ~NoAllocGuard() { depth_ = depth_ - 1; }
  NoAllocGuard(const NoAllocGuard&) = delete;
  NoAllocGuard& operator=(const NoAllocGuard&) = delete;

  // What the test's own fakes do inside a guarded scope.
  class Pause {
   public:
    Pause() : depth_before_(depth_) { depth_ = 0; }
    ~Pause() { depth_ = depth_before_; }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    int depth_before_;
  };

  // Called by the replaced malloc.
  static void Check();

 private:
  // Volatile: the compiler knows that malloc reads no variable, and would take
  // the counting out around it.
  inline static thread_local volatile int depth_ = 0;
};

}  // namespace heapledger::testing
