// SPDX-License-Identifier: Apache-2.0
// Private view of one table of the ledger: id -> record, through the addresses
// of its chunks. Chunks are added, never moved or removed.
//
// Thread safety: any thread, lock-free. Two threads that add the same chunk at
// once both grow the file; the loser's extent is retracted.
#pragma once

#include <atomic>
#include <cstdint>

#include "heapledger/ledger/layout.h"
#include "preload/core/ledger_file.h"

namespace heapledger::preload {

template <typename Record, std::uint32_t kMaxChunks>
class ChunkedTable {
 public:
  static constexpr std::uint32_t kPerChunk = ledger::kRecordsPerChunk<Record>;
  static constexpr std::uint32_t kMaxRecords = kMaxChunks * kPerChunk;

  // The record, or null where its chunk does not exist.
  Record* At(std::uint32_t id) const {
    const std::uint32_t chunk = id / kPerChunk;
    if (chunk >= kMaxChunks) [[unlikely]]
      return nullptr;
    // Acquire: pairs with the release in Ensure(), so that the zeroed pages are
    // seen before anything is added to them.
    Record* const records = chunks_[chunk].load(std::memory_order_acquire);
    return records == nullptr ? nullptr : records + id % kPerChunk;
  }

  // The same. REQUIRES: id < kMaxRecords.
  Record* AtKnown(std::uint32_t id) const {
    Record* const records =
        chunks_[id / kPerChunk].load(std::memory_order_acquire);
    return records == nullptr ? nullptr : records + id % kPerChunk;
  }

  // The record, adding its chunk where it is missing; null when there is no
  // room.
  template <typename Env>
  Record* Ensure(LedgerFile<Env>& file, std::uint32_t id,
                 std::uint32_t owner = 0) {
    if (Record* const record = At(id)) return record;
    const std::uint32_t chunk = id / kPerChunk;
    if (chunk >= kMaxChunks) return nullptr;
    // Brings in the page of the pointer, so that no fault (at whose end a
    // signal handler may run, and jump out) comes between the extent's
    // publication and its use: an extent without a user would stay.
    Record* none = nullptr;
    (void)chunks_[chunk].compare_exchange_strong(none, nullptr,
                                                 std::memory_order_relaxed);
    const auto grown = file.Grow(ledger::Chunking<Record>::kKind, owner, chunk,
                                 ledger::Chunking<Record>::kPages);
    if (grown.records == nullptr) return nullptr;
    Record* expected = nullptr;
    if (!chunks_[chunk].compare_exchange_strong(
            expected, reinterpret_cast<Record*>(grown.records),
            std::memory_order_acq_rel)) {
      file.Retract(grown);
    }
    return At(id);
  }

 private:
  std::atomic<Record*> chunks_[kMaxChunks] = {};
};

}  // namespace heapledger::preload
