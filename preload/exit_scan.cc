// SPDX-License-Identifier: Apache-2.0
#include "preload/exit_scan.h"

#include <sys/syscall.h>

#include <atomic>

#include "preload/core/chunked_table.h"
#include "preload/core/object_map.h"
#include "preload/lifecycle.h"
#include "preload/proc_facts.h"
#include "preload/raw_io.h"

// Not in libc's headers. Those that glibc's own atexit() and at_quick_exit()
// call.
extern "C" int __cxa_atexit(void (*handler)(void*), void* argument,
                            void* object);
extern "C" int __cxa_at_quick_exit(void (*handler)(void*), void* object);

namespace heapledger::preload {
namespace {

using ledger::LeakCell;
using ledger::ScanReason;
using ledger::ScanState;

enum class Phase : std::uint32_t { kPending, kScanning, kScanned, kBooked };

// What an exit scan keeps; in private memory, where one is asked for.
struct ExitScan {
  std::atomic<Phase> phase;
  std::atomic<bool> sealed;
  long filters;  // seccomp filters at the start; negative: unknown
  ReachResult result;
  ChunkedTable<LeakCell, ledger::kMaxCallsites / 512> cells;
};

constinit ExitScan* g_scan = nullptr;
constinit bool g_end_watched = false;

ledger::Header& Header() { return g_books->file().header(); }

void SetScanState(ScanState state, ScanReason reason) {
  ledger::Header& header = Header();
  header.scan_reason.store(static_cast<std::uint32_t>(reason),
                           std::memory_order_relaxed);
  // Release: pairs with the reader's acquire of the header, so that a complete
  // scan has all its records.
  header.scan_state.store(static_cast<std::uint32_t>(state),
                          std::memory_order_release);
}

// Why the object map cannot be relied upon, or the scan not be risked.
ScanReason ReasonNotToScan() {
  const long filters = SeccompFilters();
  if (filters >= 0 && g_scan->filters >= 0 && filters != g_scan->filters) {
    return ScanReason::kSealed;
  }
  if (CurrentGate() < Gate::kAdaptive ||
      g_process->armed_late.load(std::memory_order_relaxed)) {
    return ScanReason::kNotExact;
  }
  const auto untracked =
      static_cast<std::uint32_t>(ledger::Degraded::kUntrackedBlock);
  if (Header().degraded[untracked].load(std::memory_order_relaxed) != 0) {
    return ScanReason::kUntrackedBlock;
  }
  return ScanReason::kNone;
}

// One block of what was found, if it still lives. False without room.
bool BookLeak(const scan::LeakedBlock& leak) {
  const ObjectMap::Slot* const slot = g_books->objects().Find(leak.block);
  if (slot == nullptr ||
      slot->load(std::memory_order_relaxed) != leak.slot_word) {
    return true;
  }
  const BlockRecord record = ObjectMap::Read(slot);
  LeakCell* const cell = g_scan->cells.Ensure(g_books->file(), record.callsite);
  if (cell == nullptr) return false;
  auto& bytes = leak.direct != 0 ? cell->direct_bytes : cell->indirect_bytes;
  auto& objects =
      leak.direct != 0 ? cell->direct_objects : cell->indirect_objects;
  bytes.fetch_add(record.bytes, std::memory_order_relaxed);
  objects.fetch_add(1, std::memory_order_relaxed);
  Header().scan_unreachable.fetch_add(1, std::memory_order_relaxed);
  return true;
}

ScanReason BookLeaks(const ReachResult& result) {
  if (result.reason != ScanReason::kNone) return result.reason;
  for (std::uint64_t i = 0; i < result.leak_count; ++i) {
    if (!BookLeak(result.leaks[i])) return ScanReason::kLedgerFull;
  }
  return ScanReason::kNone;
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
  g_scan->filters = SeccompFilters();
  SetScanState(ScanState::kPending, ScanReason::kNone);
}

bool ScansAtExit() { return g_scan != nullptr; }

void WatchTheEnd() {
  if (g_scan == nullptr || g_end_watched) return;
  g_end_watched = true;
  // Handlers run last to first. Those of libraries run when the loader ends
  // them, which was itself registered later than this.
  __cxa_atexit(AtEnd, nullptr, nullptr);
  __cxa_at_quick_exit(AtEnd, nullptr);
}

void ProgramSealsItself() {
  if (g_scan != nullptr) g_scan->sealed.store(true, std::memory_order_relaxed);
}

void ExitBegins(const CallerState& caller) {
  if (g_scan == nullptr || CurrentGate() <= Gate::kOff) return;
  if (g_scan->sealed.load(std::memory_order_relaxed)) {
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
  g_scan->result.reason = ReasonNotToScan();
  if (g_scan->result.reason == ScanReason::kNone) {
    g_scan->result = FindUnreachable(caller);
  }
  const ReachResult& result = g_scan->result;
  ledger::Header& header = Header();
  header.scan_blocks.store(result.blocks, std::memory_order_relaxed);
  header.scan_threads.store(result.threads, std::memory_order_relaxed);
  header.scan_root_bytes.store(result.root_bytes, std::memory_order_relaxed);
  header.scan_pause_ns.store(result.threads == 0 ? 0 : result.pause_ns,
                             std::memory_order_relaxed);
  header.scan_duration_ns.store(raw::PreciseNs() - begin,
                                std::memory_order_relaxed);
  g_scan->phase.store(Phase::kScanned, std::memory_order_release);
}

void ExitEnds() {
  if (g_scan == nullptr || CurrentGate() <= Gate::kOff) return;
  Phase scanned = Phase::kScanned;
  if (!g_scan->phase.compare_exchange_strong(scanned, Phase::kBooked,
                                             std::memory_order_acq_rel)) {
    return;
  }
  const ScanReason reason = BookLeaks(g_scan->result);
  SetScanState(reason == ScanReason::kNone ? ScanState::kComplete
                                           : ScanState::kIncomplete,
               reason);
}

}  // namespace heapledger::preload
