// SPDX-License-Identifier: Apache-2.0
#include "preload/leak_book.h"

#include "preload/seal.h"

namespace heapledger::preload {

using ledger::ScanReason;
using ledger::ScanState;

void SetState(ledger::ScanRecord& record, ScanState state, ScanReason reason) {
  record.reason.store(static_cast<std::uint32_t>(reason),
                      std::memory_order_relaxed);
  // Release: pairs with the reader's acquire of the header, so that a complete
  // scan has all its records.
  record.state.store(static_cast<std::uint32_t>(state),
                     std::memory_order_release);
}

void WriteFacts(ledger::ScanRecord& record, const ReachResult& result,
                std::uint64_t duration_ns) {
  record.blocks.store(result.blocks, std::memory_order_relaxed);
  record.threads.store(result.threads, std::memory_order_relaxed);
  record.root_bytes.store(result.root_bytes, std::memory_order_relaxed);
  record.pause_ns.store(result.threads == 0 ? 0 : result.pause_ns,
                        std::memory_order_relaxed);
  record.duration_ns.store(duration_ns, std::memory_order_relaxed);
}

ScanReason ReasonNotToScan() {
  if (HasMoreFilters()) return ScanReason::kSealed;
  if (CurrentGate() < Gate::kAdaptive ||
      g_process->armed_late.load(std::memory_order_relaxed)) {
    return ScanReason::kNotExact;
  }
  const auto untracked =
      static_cast<std::uint32_t>(ledger::Degraded::kUntrackedBlock);
  const auto& degraded = g_books->file().header().degraded[untracked];
  return degraded.load(std::memory_order_relaxed) != 0
             ? ScanReason::kUntrackedBlock
             : ScanReason::kNone;
}

}  // namespace heapledger::preload
