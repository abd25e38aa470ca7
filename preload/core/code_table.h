// SPDX-License-Identifier: Apache-2.0
// Python code objects as the ledger keeps them: written once, when one is first
// seen, under ids that a forked child goes on with.
//
// Thread safety: any thread, no locks.
#pragma once

#include <atomic>
#include <cstdint>

#include "heapledger/ledger/layout.h"
#include "preload/core/chunked_table.h"

namespace heapledger::preload {

class CodeTable {
 public:
  static constexpr std::uint32_t kNone = 0;
  using Records = ChunkedTable<ledger::CodeRecord, 2048>;
  static_assert(Records::kMaxRecords <= 1U << ledger::PythonWord::kCodeBits);

  // Writes a record by fill(CodeRecord&). Its id, or kNone where there is no
  // room.
  template <typename Env, typename Fill>
  std::uint32_t Add(LedgerFile<Env>& file, Fill&& fill) {
    // Id 0 is none; the memory of the table was zeroed, not constructed.
    const std::uint32_t id = last_.fetch_add(1, std::memory_order_relaxed) + 1;
    if (id >= Records::kMaxRecords) {
      last_.store(Records::kMaxRecords, std::memory_order_relaxed);
      return kNone;
    }
    ledger::CodeRecord* const record = records_.Ensure(file, id);
    if (record == nullptr) return kNone;
    fill(*record);
    record->published.store(1, std::memory_order_release);
    return id;
  }

  // Takes over the records of a parent, under their ids. What there is no room
  // for stays unknown.
  // REQUIRES: nothing was added yet, and nobody adds to `parent`.
  template <typename Env>
  void Inherit(LedgerFile<Env>& file, const CodeTable& parent) {
    const std::uint32_t last = parent.last_.load(std::memory_order_relaxed);
    for (std::uint32_t id = 1; id <= last && id < Records::kMaxRecords; ++id) {
      const ledger::CodeRecord* const from = parent.records_.At(id);
      if (from == nullptr ||
          from->published.load(std::memory_order_acquire) == 0) {
        continue;
      }
      ledger::CodeRecord* const to = records_.Ensure(file, id);
      if (to == nullptr) break;
      to->first_line = from->first_line;
      to->name_bytes = from->name_bytes;
      to->file_bytes = from->file_bytes;
      to->flags = from->flags;
      __builtin_memcpy(to->text, from->text, ledger::kCodeTextBytes);
      to->published.store(1, std::memory_order_release);
    }
    last_.store(last, std::memory_order_relaxed);
  }

  const ledger::CodeRecord* At(std::uint32_t id) const {
    return records_.At(id);
  }

 private:
  Records records_;
  std::atomic<std::uint32_t> last_{0};
};

}  // namespace heapledger::preload
