// SPDX-License-Identifier: Apache-2.0
#include "preload/exit_scan.h"

#include <atomic>

#include "preload/leak_book.h"
#include "preload/lifecycle.h"
#include "preload/live_scan.h"
#include "preload/raw_io.h"
#include "preload/real_malloc.h"
#include "preload/seal.h"

// Not in libc's headers. Those that glibc's own atexit() and at_quick_exit()
// call.
extern "C" int __cxa_atexit(void (*handler)(void*), void* argument,
                            void* object);
extern "C" int __cxa_at_quick_exit(void (*handler)(void*), void* object);
#pragma weak __cxa_at_quick_exit

namespace heapledger::preload {
namespace {

using ledger::ScanReason;
using ledger::ScanState;

enum class Phase : std::uint32_t { kPending, kScanning, kScanned, kBooked };

// What an exit scan keeps; in private memory, where one is asked for.
struct ExitScan {
  std::atomic<Phase> phase;
  ReachResult result;
  LeakBook<ledger::LeakCell> book;
};

constinit ExitScan* g_scan = nullptr;
constinit bool g_end_watched = false;

ledger::Header& Header() { return g_books->file().header(); }

void SetScanState(ScanState state, ScanReason reason) {
  SetState(Header().scan, state, reason);
}

void AtEnd(void*) { ExitEnds(); }

}  // namespace

void PrepareExitScan() {
  if (CurrentGate() <= Gate::kOff || !g_process->config.scan_at_exit) return;
  if (g_scan == nullptr) {
    g_scan = static_cast<ExitScan*>(raw::MapPrivate(sizeof(ExitScan)));
  } else {
    // A forked child: what its parent had found is not its own.
    raw::Discard(g_scan, sizeof *g_scan);
  }
  if (g_scan == nullptr) {
    return SetScanState(ScanState::kIncomplete, ScanReason::kNoMemory);
  }
  SetScanState(ScanState::kPending, ScanReason::kNone);
}

bool ScansAtExit() { return g_scan != nullptr; }

bool MayScanAtExit() {
  if (g_scan != nullptr || CurrentGate() != Gate::kCold || !LibcIsKnown()) {
    return ScansAtExit();
  }
  Config config;
  config.ReadEnvironment();
  return config.scan_at_exit;
}

void WatchTheEnd() {
  if (g_end_watched || !MayScanAtExit()) return;
  g_end_watched = true;
  // Handlers run last to first. Those of libraries run when the loader ends
  // them, which was itself registered later than this.
  __cxa_atexit(AtEnd, nullptr, nullptr);
  __cxa_at_quick_exit(AtEnd, nullptr);
}

void ExitBegins(const CallerState& caller) {
  if (g_scan == nullptr || CurrentGate() <= Gate::kOff) return;
  if (HasSealedItself()) {
    return SetScanState(ScanState::kIncomplete, ScanReason::kSealed);
  }
  if (raw::Pid() != g_process->identity.pid) return;
  Phase pending = Phase::kPending;
  if (!g_scan->phase.compare_exchange_strong(pending, Phase::kScanning,
                                             std::memory_order_acq_rel)) {
    return;
  }
  SetScanState(ScanState::kRunning, ScanReason::kNone);
  const std::uint64_t begin = raw::PreciseNs();
  StopLiveScan();
  g_scan->result.reason = ReasonNotToScan();
  if (g_scan->result.reason == ScanReason::kNone) {
    g_scan->result = FindUnreachable(caller);
  }
  WriteFacts(Header().scan, g_scan->result, raw::PreciseNs() - begin);
  g_scan->phase.store(Phase::kScanned, std::memory_order_release);
}

void ExitEnds() {
  if (g_scan == nullptr || CurrentGate() <= Gate::kOff) return;
  Phase scanned = Phase::kScanned;
  if (!g_scan->phase.compare_exchange_strong(scanned, Phase::kBooked,
                                             std::memory_order_acq_rel)) {
    return;
  }
  const ScanReason reason = g_scan->book.Write(g_scan->result, Header().scan);
  SetScanState(reason == ScanReason::kNone ? ScanState::kComplete
                                           : ScanState::kIncomplete,
               reason);
}

}  // namespace heapledger::preload
