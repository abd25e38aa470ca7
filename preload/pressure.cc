// SPDX-License-Identifier: Apache-2.0
#include "preload/pressure.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>

#include <atomic>

#include "preload/interpose.h"
#include "preload/lifecycle.h"
#include "preload/raw_io.h"
#include "preload/recorder.h"

namespace heapledger::preload {
namespace {

using ledger::kPressureListeners;
using ledger::PressureLevel;

constexpr std::uint64_t kMillisecond = 1'000'000;
constexpr std::uint64_t kSecond = 1000 * kMillisecond;
constexpr std::uint64_t kForEver = ~std::uint64_t{0};
// A wait for a callback on another thread looks again this often, whatever
// happens.
constexpr std::uint64_t kLookAgainNs = 100 * kMillisecond;

enum class SlotState : std::uint32_t {
  kFree = 0,
  kFilling = 1,
  kReady = 2,
  kLeaving = 3,
};

struct Slot {
  std::atomic<SlotState> state;
  int least_level;
  PressureCallback callback;
  void* context;
};

constinit Slot g_slots[kPressureListeners] = {};

// The thread that runs callbacks, by its thread pointer, which a fork keeps; 0:
// none. And the slot that it runs, from 1 on.
constinit std::atomic<std::uint64_t> g_runner{0};
constinit std::atomic<std::uint32_t> g_running{0};

ledger::Header& Header() { return g_books->file().header(); }

std::uint64_t ThisThread() {
  return recorder_internal::Address(__builtin_thread_pointer());
}

std::uint32_t LevelIn(std::uint64_t control) {
  return static_cast<std::uint32_t>((control & ledger::kPressureMask) >>
                                    ledger::kPressureShift);
}

// Waits while the word has this value. Returns early for any reason.
void FutexWait(const void* word, std::uint32_t value, std::uint64_t for_ns) {
  timespec time = {};
  time.tv_sec = static_cast<time_t>(for_ns / kSecond);
  time.tv_nsec = static_cast<long>(for_ns % kSecond);
  raw::Call(SYS_futex, reinterpret_cast<long>(word), FUTEX_WAIT, value,
            for_ns == kForEver ? 0 : reinterpret_cast<long>(&time));
}

void FutexWakeAll(const void* word) {
  raw::Call(SYS_futex, reinterpret_cast<long>(word), FUTEX_WAKE, 0x7fffffff);
}

void Publish(std::uint32_t index) {
  const Slot& slot = g_slots[index];
  ledger::PressureListener& entry = Header().pressure.listeners[index];
  entry.least_level.store(static_cast<std::uint32_t>(slot.least_level),
                          std::memory_order_relaxed);
  entry.last_level.store(0, std::memory_order_relaxed);
  entry.runs.store(0, std::memory_order_relaxed);
  entry.total_ns.store(0, std::memory_order_relaxed);
  entry.longest_ns.store(0, std::memory_order_relaxed);
  entry.callback.store(reinterpret_cast<std::uint64_t>(slot.callback),
                       std::memory_order_release);
}

// One at a time, by g_runner.
void BookRun(std::uint32_t index, std::uint32_t level,
             std::uint64_t duration_ns) {
  ledger::PressureListener& entry = Header().pressure.listeners[index];
  entry.last_level.store(level, std::memory_order_relaxed);
  entry.total_ns.fetch_add(duration_ns, std::memory_order_relaxed);
  if (entry.longest_ns.load(std::memory_order_relaxed) < duration_ns) {
    entry.longest_ns.store(duration_ns, std::memory_order_relaxed);
  }
  entry.runs.fetch_add(1, std::memory_order_release);
}

// Runs one listener if its level is reached and nobody takes it away. False
// where it did not run.
bool RunListener(std::uint32_t index, std::uint32_t level) {
  Slot& slot = g_slots[index];
  // Before the look at its state, as RemoveListener() does it the other way
  // round: one of both sees the other.
  g_running.store(index + 1, std::memory_order_seq_cst);
  const bool runs =
      slot.state.load(std::memory_order_seq_cst) == SlotState::kReady &&
      level >= static_cast<std::uint32_t>(slot.least_level);
  if (runs) {
    const std::uint64_t begin = raw::PreciseNs();
    slot.callback(static_cast<int>(level), slot.context);
    // It may have forked, and the ledger be another's; or removed itself.
    if (Running() &&
        slot.state.load(std::memory_order_relaxed) == SlotState::kReady) {
      BookRun(index, level, raw::PreciseNs() - begin);
    }
  }
  g_running.store(0, std::memory_order_seq_cst);
  FutexWakeAll(&g_running);
  return runs;
}

}  // namespace

int AddListener(int least_level, PressureCallback callback, void* context) {
  if (callback == nullptr ||
      least_level < static_cast<int>(PressureLevel::kLow) ||
      least_level > static_cast<int>(PressureLevel::kOver)) {
    return 0;
  }
  for (std::uint32_t i = 0; i < kPressureListeners; ++i) {
    Slot& slot = g_slots[i];
    SlotState free = SlotState::kFree;
    if (!slot.state.compare_exchange_strong(free, SlotState::kFilling,
                                            std::memory_order_acquire)) {
      continue;
    }
    slot.least_level = least_level;
    slot.callback = callback;
    slot.context = context;
    Publish(i);
    slot.state.store(SlotState::kReady, std::memory_order_release);
    return static_cast<int>(i + 1);
  }
  return 0;
}

bool RemoveListener(int id) {
  if (id <= 0 || id > static_cast<int>(kPressureListeners)) return false;
  const auto index = static_cast<std::uint32_t>(id - 1);
  Slot& slot = g_slots[index];
  SlotState ready = SlotState::kReady;
  if (!slot.state.compare_exchange_strong(ready, SlotState::kLeaving,
                                          std::memory_order_seq_cst)) {
    return false;
  }
  while (g_runner.load(std::memory_order_seq_cst) != ThisThread() &&
         g_running.load(std::memory_order_seq_cst) == index + 1) {
    FutexWait(&g_running, index + 1, kLookAgainNs);
  }
  Header().pressure.listeners[index].callback.store(0,
                                                    std::memory_order_release);
  slot.state.store(SlotState::kFree, std::memory_order_release);
  return true;
}

int TakePressure() {
  ledger::Header& header = Header();
  ledger::PressureRecord& record = header.pressure;
  record.polls.fetch_add(1, std::memory_order_relaxed);
  std::uint64_t word = header.control.load(std::memory_order_acquire);
  while (LevelIn(word) != 0) {
    if (!header.control.compare_exchange_weak(
            word, word & ~ledger::kPressureMask, std::memory_order_acq_rel)) {
      continue;
    }
    const std::uint32_t level = LevelIn(word);
    if (level > static_cast<std::uint32_t>(PressureLevel::kOver)) return 0;
    record.taken_level.store(level, std::memory_order_relaxed);
    record.taken_realtime_ns.store(raw::RealtimeNs(),
                                   std::memory_order_relaxed);
    record.taken.fetch_add(1, std::memory_order_release);
    return static_cast<int>(level);
  }
  return 0;
}

int AwaitPressure(int timeout_ms) {
  const std::uint64_t deadline =
      timeout_ms < 0
          ? kForEver
          : raw::PreciseNs() +
                static_cast<std::uint64_t>(timeout_ms) * kMillisecond;
  ledger::Header* const here = &Header();
  here->pressure.waiting.fetch_add(1, std::memory_order_relaxed);
  int level = 0;
  std::uint64_t served = 0;
  // Again each time: a signal handler may fork, and its child come here.
  while (Running()) {
    level = TakePressure();
    if (level != 0) break;
    const ledger::AtomicU64& control = Header().control;
    const std::uint64_t word = control.load(std::memory_order_acquire);
    if (LevelIn(word) != 0) continue;
    // What serving leaves in the word waits for something to happen: not to be
    // served again until it changes.
    if (word != served && (word & ledger::kServedMask) != 0) {
      ServeControl();
      served = control.load(std::memory_order_acquire);
      continue;
    }
    const std::uint64_t now = deadline == kForEver ? 0 : raw::PreciseNs();
    if (now >= deadline) break;
    // The low half, which comes first.
    FutexWait(&control, static_cast<std::uint32_t>(word),
              deadline == kForEver ? kForEver : deadline - now);
  }
  if (here == &Header()) {
    here->pressure.waiting.fetch_sub(1, std::memory_order_relaxed);
  }
  return level;
}

int RunListeners(int timeout_ms) {
  std::uint64_t nobody = 0;
  if (!g_runner.compare_exchange_strong(nobody, ThisThread(),
                                        std::memory_order_seq_cst)) {
    return kAnotherRuns;
  }
  const int level = AwaitPressure(timeout_ms);
  int ran = 0;
  for (std::uint32_t i = 0; level != 0 && i < kPressureListeners; ++i) {
    if (RunListener(i, static_cast<std::uint32_t>(level))) ++ran;
  }
  g_runner.store(0, std::memory_order_seq_cst);
  return ran;
}

void InheritListeners() {
  // Of the parent's threads only this one exists here.
  if (g_runner.load(std::memory_order_relaxed) != ThisThread()) {
    g_runner.store(0, std::memory_order_relaxed);
    g_running.store(0, std::memory_order_relaxed);
  }
  for (std::uint32_t i = 0; i < kPressureListeners; ++i) {
    Slot& slot = g_slots[i];
    if (slot.state.load(std::memory_order_relaxed) == SlotState::kReady) {
      Publish(i);
    } else {
      slot.state.store(SlotState::kFree, std::memory_order_relaxed);
    }
  }
}

}  // namespace heapledger::preload
