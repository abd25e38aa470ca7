// SPDX-License-Identifier: Apache-2.0
#include "preload/live_scan.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <atomic>

#include "preload/leak_book.h"
#include "preload/lifecycle.h"
#include "preload/live_reach.h"
#include "preload/raw_io.h"
#include "preload/seal.h"

namespace heapledger::preload {
namespace {

using ledger::ScanReason;
using ledger::ScanState;

constexpr std::uint64_t kMillisecond = 1'000'000;
constexpr std::uint64_t kLongestScanNs = 120'000 * kMillisecond;
constexpr std::size_t kStackBytes = 256 << 10;

// What one scan needs; given back when its process is buried.
struct LiveRun {
  ReachScan scan;
  DirtyPages pages;
  ScanEnv env;
  std::int32_t pid;
  std::int32_t own_tid;
  std::uint64_t pause_ns;
  alignas(16) char stack[kStackBytes];
};

// Kept from the first scan on.
struct LiveScan {
  std::atomic<bool> busy;     // from a start to the burial
  std::atomic<long> scanner;  // pid of the process that scans
  LiveRun* run;
  LeakBook<ledger::LiveLeakCell> book;
};

constinit std::atomic<LiveScan*> g_live{nullptr};

ledger::Header& Header() { return g_books->file().header(); }

// Calls run(argument) in a process that shares our memory, on a stack of its
// own, and goes on. Returns its pid, or a negative errno.
long StartSharing(void* stack_top, void (*run)(void*), void* argument) {
  // No signal at its end: the program's own waits do not see it.
  constexpr long kFlags = CLONE_VM | CLONE_UNTRACED;
  long result;
  register void* r8 asm("r8") = nullptr;
  register void* r10 asm("r10") = nullptr;
  register void (*r12)(void*) asm("r12") = run;
  register void* r13 asm("r13") = argument;
  asm volatile(
      "syscall\n"
      "  test %%rax, %%rax\n"
      "  jnz 1f\n"
      "  xor %%ebp, %%ebp\n"
      "  mov %%r13, %%rdi\n"
      "  call *%%r12\n"
      "  ud2\n"
      "1:"
      : "=a"(result)
      : "a"(SYS_clone), "D"(kFlags), "S"(stack_top), "d"(nullptr), "r"(r10),
        "r"(r8), "r"(r12), "r"(r13)
      : "rcx", "r11", "memory");
  return result;
}

void SetSignalMask(std::uint64_t mask, std::uint64_t* before) {
  raw::Call(SYS_rt_sigprocmask, SIG_SETMASK, reinterpret_cast<long>(&mask),
            reinterpret_cast<long>(before), sizeof mask);
}

// A result, for readers: they look at the round before and after.
void Publish(LiveScan& live, const ReachResult& result,
             std::uint64_t duration_ns) {
  ledger::Header& header = Header();
  ledger::ScanRecord& record = header.live_scan;
  header.live_round.fetch_add(1, std::memory_order_acq_rel);
  live.book.Clear(record);
  WriteFacts(record, result, duration_ns);
  const ScanReason reason = live.book.Write(result, record);
  if (reason != ScanReason::kNone) live.book.Clear(record);
  header.live_realtime_ns.store(raw::RealtimeNs(), std::memory_order_relaxed);
  SetState(record,
           reason == ScanReason::kNone ? ScanState::kComplete
                                       : ScanState::kIncomplete,
           reason);
  header.live_round.fetch_add(1, std::memory_order_acq_rel);
}

// The process that scans, from its first to its last.
void Scan(void* argument) {
  auto& live = *static_cast<LiveScan*>(argument);
  LiveRun& run = *live.run;
  const std::uint64_t begin = raw::PreciseNs();
  // Copies of the program's: a pipe's other end waits for the last one.
  raw::Call(SYS_close_range, 0, ~0U, 0);
  GuardCopies();
  SetSignalMask(~(1ULL << (SIGSEGV - 1) | 1ULL << (SIGBUS - 1)), nullptr);
  const ReachResult result =
      FindUnreachableAlive(run.scan, run.pages, run.env, run.pid, run.own_tid,
                           {run.pause_ns, kLongestScanNs});
  Publish(live, result, raw::PreciseNs() - begin);
  Header().control.fetch_or(
      static_cast<std::uint64_t>(ledger::Control::kReapScan),
      std::memory_order_acq_rel);
  for (;;) raw::Call(SYS_exit_group, 0);
}

LiveScan* Take() {
  LiveScan* live = g_live.load(std::memory_order_acquire);
  if (live == nullptr) {
    auto* const fresh =
        static_cast<LiveScan*>(raw::MapPrivate(sizeof(LiveScan)));
    if (fresh == nullptr) return nullptr;
    if (g_live.compare_exchange_strong(live, fresh,
                                       std::memory_order_acq_rel)) {
      live = fresh;
    } else {
      raw::Unmap(fresh, sizeof *fresh);
    }
  }
  bool free = false;
  return live->busy.compare_exchange_strong(free, true,
                                            std::memory_order_acq_rel)
             ? live
             : nullptr;
}

// The scanner is dead: takes what it had, and says so where it was killed.
void Bury(LiveScan& live) {
  if (live.scanner.exchange(0, std::memory_order_acq_rel) == 0) return;
  LiveRun* const run = live.run;
  run->scan.lot().DismissGuests();
  ledger::Header& header = Header();
  const auto running = static_cast<std::uint32_t>(ScanState::kRunning);
  if (header.live_scan.state.load(std::memory_order_acquire) == running) {
    SetState(header.live_scan, ScanState::kIncomplete,
             ScanReason::kScannerLost);
  }
  // Killed while it wrote.
  if (header.live_round.load(std::memory_order_relaxed) % 2 != 0) {
    live.book.Clear(header.live_scan);
    header.live_round.fetch_add(1, std::memory_order_acq_rel);
  }
  run->env.ReleaseAll();
  // Where a thread is still to come, it comes to the lot.
  if (run->scan.lot().empty()) raw::Unmap(run, sizeof *run);
  live.run = nullptr;
  live.busy.store(false, std::memory_order_release);
}

ScanReason Launch(LiveScan& live, std::uint32_t pause_ms) {
  live.run = static_cast<LiveRun*>(raw::MapPrivate(sizeof(LiveRun)));
  if (live.run == nullptr) return ScanReason::kNoMemory;
  LiveRun& run = *live.run;
  run.pid = static_cast<std::int32_t>(g_process->identity.pid);
  run.own_tid = static_cast<std::int32_t>(raw::Call(SYS_gettid));
  run.pause_ns = pause_ms * kMillisecond;
  ScanReason reason = ScanReason::kSignalRefused;
  if (run.scan.lot().AdmitGuests(run.pid)) {
    reason = ScanReason::kNoScanner;
    std::uint64_t mask = 0;
    // Handlers of the program's must not run in it.
    SetSignalMask(~std::uint64_t{0}, &mask);
    const long scanner = StartSharing(run.stack + kStackBytes, Scan, &live);
    SetSignalMask(mask, nullptr);
    if (scanner > 0) {
      live.scanner.store(scanner, std::memory_order_release);
      return ScanReason::kNone;
    }
    run.scan.lot().DismissGuests();
  }
  raw::Unmap(live.run, sizeof run);
  live.run = nullptr;
  return reason;
}

}  // namespace

[[gnu::cold]] void StartLiveScan(std::uint32_t pause_ms) {
  if (HasSealedItself()) {
    return SetState(Header().live_scan, ScanState::kIncomplete,
                    ScanReason::kSealed);
  }
  if (raw::Pid() != g_process->identity.pid) {
    // A child that borrows our memory: it is for another thread to serve.
    Header().control.fetch_or(
        static_cast<std::uint64_t>(ledger::Control::kScan) |
            std::uint64_t{pause_ms} << ledger::kScanPauseShift,
        std::memory_order_acq_rel);
    return;
  }
  ReapLiveScan();
  LiveScan* const live = Take();
  // One is on, and answers this request as well.
  if (live == nullptr) return;
  if (pause_ms == 0) pause_ms = kDefaultPauseMs;
  ledger::Header& header = Header();
  header.live_pause_limit_ms.store(pause_ms, std::memory_order_relaxed);
  SetState(header.live_scan, ScanState::kRunning, ScanReason::kNone);
  ScanReason reason = ReasonNotToScan();
  if (reason == ScanReason::kNone) reason = Launch(*live, pause_ms);
  // It may be done already, and its last words have met nobody.
  if (reason == ScanReason::kNone) return ReapLiveScan();
  SetState(header.live_scan, ScanState::kIncomplete, reason);
  live->busy.store(false, std::memory_order_release);
}

[[gnu::cold]] void ReapLiveScan() {
  LiveScan* const live = g_live.load(std::memory_order_acquire);
  if (live == nullptr) return;
  const long scanner = live->scanner.load(std::memory_order_acquire);
  if (scanner == 0) return;
  const long reaped = raw::Call(SYS_wait4, scanner, 0, WNOHANG | __WCLONE, 0);
  if (reaped == 0) {
    // It asked for this with its last words; once more at the next allocation.
    const auto running = static_cast<std::uint32_t>(ScanState::kRunning);
    if (Header().live_scan.state.load(std::memory_order_acquire) != running) {
      Header().control.fetch_or(
          static_cast<std::uint64_t>(ledger::Control::kReapScan),
          std::memory_order_acq_rel);
    }
    return;
  }
  // Also where somebody else has waited for it.
  if (reaped == scanner || reaped == -ECHILD) Bury(*live);
}

[[gnu::cold]] void StopLiveScan() {
  LiveScan* const live = g_live.load(std::memory_order_acquire);
  if (live == nullptr) return;
  const long scanner = live->scanner.load(std::memory_order_acquire);
  if (scanner == 0) return;
  raw::Call(SYS_kill, scanner, SIGKILL);
  long reaped = 0;
  do {
    reaped = raw::Call(SYS_wait4, scanner, 0, __WCLONE, 0);
  } while (reaped == -EINTR);
  Bury(*live);
}

void StopLiveScanBeforeExec() {
  const LiveScan* const live = g_live.load(std::memory_order_acquire);
  if (live == nullptr || live->scanner.load(std::memory_order_acquire) == 0 ||
      raw::Pid() != g_process->identity.pid) {
    return;
  }
  StopLiveScan();
}

[[gnu::cold]] void ForgetLiveScan() {
  LiveScan* const live = g_live.load(std::memory_order_acquire);
  if (live == nullptr) return;
  if (live->run != nullptr) {
    // Nobody is parked here, nor asked to: those threads are its parent's.
    if (!live->run->scan.lot().empty()) live->run->scan.lot().RestoreAction();
    live->run->env.ReleaseAll();
    raw::Unmap(live->run, sizeof *live->run);
  }
  raw::Discard(live, sizeof *live);
}

}  // namespace heapledger::preload
