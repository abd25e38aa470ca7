// SPDX-License-Identifier: Apache-2.0
// Stops all other threads of a process, with their registers known, without the
// right to trace anybody: each is sent a signal whose handler waits. The
// process is the calling one; or one whose memory the caller, a process of our
// own, shares (guests): then a thread that is kept too long goes on by itself,
// and the last to leave takes the handler away.
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
#include "preload/kernel_action.h"

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
  std::uint64_t thread_pointer = 0;  // 0 where it cannot be read
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

  // The same for guests. AdmitGuests() is for the process that owns the threads
  // and takes the signal; false where it cannot be had. The rest is for the
  // caller that shares its memory: ParkGuests() with a time after which a
  // thread goes on by itself, and ReleaseGuests(), which is false where one
  // did. The signal is the owner's to give back, with DismissGuests().
  bool AdmitGuests(std::int32_t pid);
  ledger::ScanReason ParkGuests(std::uint64_t timeout_ns,
                                std::uint64_t leave_after_ns);
  bool ReleaseGuests();
  // For the owner of the threads, once the caller of these has ended, in order
  // or not: lets all go on and gives the signal back, unless a thread is still
  // to come.
  void DismissGuests();
  // Whether the signal is given back, so that no thread comes any more.
  [[nodiscard]] bool empty() const {
    return !installed_.load(std::memory_order_acquire);
  }

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

  // The parked thread of an id; null where there is none. REQUIRES: parked.
  [[nodiscard]] const ParkedThread* Find(std::int32_t tid) {
    const std::uint32_t at = *SlotOf(tid);
    if (at == 0) return nullptr;
    const ParkedThread& thread = threads_[at - 1];
    return thread.state.load(std::memory_order_acquire) ==
                   ParkedThread::State::kParked
               ? &thread
               : nullptr;
  }

  // Called by the signal's handler.
  void Arrive(ParkedThread* thread, const void* context);
  void RestoreAction();
  [[nodiscard]] bool Holds(const void* thread) const {
    return thread >= threads_ && thread < threads_ + kMaxThreads;
  }
  void PassOn(int signal, void* info, void* context) const;

 private:
  static constexpr std::uint32_t kHashSlots = 4 * kMaxThreads;

  bool Install();
  void SetTasks(std::int32_t pid, bool own);
  ledger::ScanReason ParkUntil(std::uint64_t deadline_ns);
  // Lets all go on. Returns whether all who were asked have come.
  bool LetGo();
  void AwaitLeaving() const;
  [[nodiscard]] bool HasEnded(std::int32_t tid) const;
  // Calls visit(tid) for every thread of the process, as long as it returns
  // true. False where none could be listed.
  template <typename Visit>
  bool ForEachTask(Visit&& visit);
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
  // Guests: what a thread waits before it goes on by itself; else 0.
  std::uint64_t leave_after_ns_ = 0;
  bool guests_ = false;
  bool reads_thread_pointers_ = false;
  char tasks_[48];  // the directory of the threads
  std::atomic<bool> installed_;
  std::atomic<std::uint32_t> late_;       // excused, and not come yet
  std::atomic<std::uint32_t> went_away_;  // threads that were kept too long
  KernelAction before_;
  std::atomic<std::uint32_t> arrived_;
  std::atomic<std::uint32_t> left_;
  std::atomic<std::uint32_t> released_;
  alignas(8) char entries_[8192];
};

}  // namespace heapledger::preload
