// SPDX-License-Identifier: Apache-2.0
// What a scan found, written to the ledger: cells by callsite, and the scan's
// own facts.
//
// Thread safety: one writer.
#pragma once

#include <cstdint>

#include "heapledger/ledger/layout.h"
#include "preload/core/chunked_table.h"
#include "preload/core/object_map.h"
#include "preload/lifecycle.h"
#include "preload/reach.h"

namespace heapledger::preload {

void SetState(ledger::ScanRecord& record, ledger::ScanState state,
              ledger::ScanReason reason);
void WriteFacts(ledger::ScanRecord& record, const ReachResult& result,
                std::uint64_t duration_ns);

// Why the object map cannot be relied upon, or a scan not be risked.
ledger::ScanReason ReasonNotToScan();

// Lies in zeroed memory.
template <typename Cell>
class LeakBook {
 public:
  // Books the blocks that still live. kNone, why the result is none, or
  // kLedgerFull.
  ledger::ScanReason Write(const ReachResult& result,
                           ledger::ScanRecord& record) {
    if (result.reason != ledger::ScanReason::kNone) return result.reason;
    for (std::uint64_t i = 0; i < result.leak_count; ++i) {
      if (!Write(result.leaks[i], record)) {
        return ledger::ScanReason::kLedgerFull;
      }
    }
    return ledger::ScanReason::kNone;
  }

  // Takes everything back.
  void Clear(ledger::ScanRecord& record) {
    const std::uint32_t end =
        g_books->file().header().callsite_end.load(std::memory_order_acquire);
    for (std::uint32_t id = 0; id < end; ++id) {
      Cell* const cell = cells_.At(id);
      if (cell == nullptr) continue;
      cell->direct_bytes.store(0, std::memory_order_relaxed);
      cell->direct_objects.store(0, std::memory_order_relaxed);
      cell->indirect_bytes.store(0, std::memory_order_relaxed);
      cell->indirect_objects.store(0, std::memory_order_relaxed);
    }
    record.unreachable.store(0, std::memory_order_relaxed);
  }

 private:
  // One block of what was found, if it still lives. False without room.
  bool Write(const scan::LeakedBlock& leak, ledger::ScanRecord& record) {
    const ObjectMap::Slot* const slot = g_books->objects().Find(leak.block);
    if (slot == nullptr ||
        slot->load(std::memory_order_relaxed) != leak.slot_word) {
      return true;
    }
    const BlockRecord block = ObjectMap::Read(slot);
    Cell* const cell = cells_.Ensure(g_books->file(), block.callsite);
    if (cell == nullptr) return false;
    auto& bytes = leak.direct != 0 ? cell->direct_bytes : cell->indirect_bytes;
    auto& objects =
        leak.direct != 0 ? cell->direct_objects : cell->indirect_objects;
    bytes.fetch_add(block.bytes, std::memory_order_relaxed);
    objects.fetch_add(1, std::memory_order_relaxed);
    record.unreachable.fetch_add(1, std::memory_order_relaxed);
    return true;
  }

  ChunkedTable<Cell, ledger::kMaxCallsites / ledger::kRecordsPerChunk<Cell>>
      cells_;
};

}  // namespace heapledger::preload
