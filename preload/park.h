// SPDX-License-Identifier: Apache-2.0
// Stops all other threads of the process, with their registers known, without
// the right to trace anybody: each is sent a signal whose handler waits.
//
// The signal is 32, which glibc keeps for pthread_cancel and lets nobody block;
// one that is not ours is passed on to glibc's handler. While threads are
// parked nothing may be called that takes a lock: one of them may hold it.
//
// Thread safety: one user at a time.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "heapledger/ledger/reasons.h"

namespace heapledger::preload {

struct ParkedThread {
  enum class State : std::uint32_t {
    kAsked = 1,
    kArriving,
    kParked,
    kGone,     // ended, or never to arrive
    kExcused,  // did not answer in time; leaves at once if it comes
  };
  static constexpr std::size_t kRegisters = 17;  // rax to r15, rip
  static constexpr std::size_t kVectorWords = 64;

  std::atomic<State> state;
  std::int32_t tid = 0;
  std::uint64_t rip = 0;
  std::uint64_t rsp = 0;
  std::uint64_t registers[kRegisters] = {};
  // The vector registers, as words; what a copy loop has in hand.
  std::uint64_t vectors[kVectorWords] = {};
};

class ParkingLot {
 public:
  static constexpr std::uint32_t kMaxThreads = 16384;

  // Stops every other thread; kNone when all stand still. Release() must follow
  // in any case.
  ledger::ScanReason Park(std::uint64_t timeout_ns);

  // Lets them go on, and takes the handler away unless a thread is still to
  // come to it.
  void Release();

  // Calls `visit(thread)` for every parked thread. REQUIRES: parked.
  template <typename Visit>
  void ForEach(Visit&& visit) const {
    for (std::uint32_t i = 0; i < count_; ++i) {
      if (threads_[i].state.load(std::memory_order_acquire) ==
          ParkedThread::State::kParked) {
        visit(threads_[i]);
      }
    }
  }

  // Called by the signal's handler.
  void Arrive(ParkedThread* thread, const void* context);
  [[nodiscard]] bool Holds(const void* thread) const {
    return thread >= threads_ && thread < threads_ + kMaxThreads;
  }
  void PassOn(int signal, void* info, void* context) const;

 private:
  // As the kernel has it, not libc.
  struct KernelAction {
    std::uint64_t handler = 0;
    std::uint64_t flags = 0;
    std::uint64_t restorer = 0;
    std::uint64_t mask = 0;
  };
  static constexpr std::uint32_t kHashSlots = 4 * kMaxThreads;

  bool Install();
  // Asks the threads that were not asked before. Returns how many there were,
  // or a negative number when it could not be told.
  long AskNewThreads();
  bool Ask(std::int32_t tid);
  // How many were asked and have not come; looks whether they ended.
  std::uint32_t Awaited();
  void WaitForArrivals() const;
  [[nodiscard]] std::uint32_t* SlotOf(std::int32_t tid);

  ParkedThread threads_[kMaxThreads];
  std::uint32_t by_tid_[kHashSlots];  // index into threads_ + 1
  std::uint32_t count_ = 0;
  std::int32_t pid_ = 0;
  std::int32_t own_tid_ = 0;
  ledger::ScanReason refusal_ = ledger::ScanReason::kNone;
  bool installed_ = false;
  KernelAction before_;
  std::atomic<std::uint32_t> arrived_;
  std::atomic<std::uint32_t> left_;
  std::atomic<std::uint32_t> released_;
  alignas(8) char entries_[8192];
};

}  // namespace heapledger::preload
