// SPDX-License-Identifier: Apache-2.0
// The loaded objects that frames lie in. Found when a frame is first seen in
// one, so no call of the loader is on anybody's path; kept when unloaded, so
// that callsites of closed plugins keep their names; revived when the same
// object comes back to the same place.
//
// Thread safety: any thread, no locks. Two threads may record one module twice.
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>

#include "heapledger/ledger/layout.h"
#include "preload/core/chunked_table.h"

namespace heapledger::preload {

// Where a code address lies, as the loader says it.
struct ModuleRange {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint64_t identity = 0;  // differs between two objects at one address
};

// FindModule: lock-free, false where no module holds the pc.
// DescribeModule: fills path, build id, load bias, inode of the module that
//   holds the pc; does not touch `state`, `start`, `end`.
// NowNs: monotonic time, as coarse as is cheap; 0 where there is no clock.
template <typename Env>
concept ModuleEnv = MemoryEnv<Env> &&
    requires(Env env, std::uint64_t pc, ModuleRange* range,
             ledger::ModuleRecord* record) {
  { env.FindModule(pc, range) } -> std::same_as<bool>;
  { env.DescribeModule(pc, record) } -> std::same_as<void>;
  { env.NowNs() } -> std::same_as<std::uint64_t>;
};

class ModuleTable {
 public:
  static constexpr std::uint32_t kMaxModules = 4096;
  static constexpr std::uint32_t kNone = 0;

  // REQUIRES: zeroed memory.
  void Open() { end_.store(1, std::memory_order_relaxed); }

  // The id of the module that holds `pc`; kNone where there is none or the
  // table is full.
  template <ModuleEnv Env>
  std::uint32_t IdOf(Env& env, LedgerFile<Env>& file, std::uint64_t pc) {
    ModuleRange range;
    if (!env.FindModule(pc, &range)) return kNone;
    const std::uint32_t end = End();
    for (std::uint32_t id = 1; id < end; ++id) {
      const Entry& entry = entries_[id];
      if (entry.loaded.load(std::memory_order_acquire) != 0 &&
          entry.identity == range.identity && entry.start == range.start &&
          entry.end == range.end) {
        return id;
      }
    }
    return Add(env, file, range, pc);
  }

  // True while the module is believed to be mapped; kNone always is.
  bool IsLoaded(std::uint32_t id) const {
    if (id == kNone) return true;
    return id < kMaxModules &&
           entries_[id].loaded.load(std::memory_order_acquire) != 0;
  }

  // Marks every module that is no longer where it was. For after a dlclose.
  template <ModuleEnv Env>
  void Refresh(Env& env, LedgerFile<Env>& file) {
    const std::uint32_t end = End();
    for (std::uint32_t id = 1; id < end; ++id) {
      Entry& entry = entries_[id];
      if (entry.loaded.load(std::memory_order_acquire) == 0) continue;
      ModuleRange range;
      if (env.FindModule(entry.inside, &range) &&
          range.identity == entry.identity && range.start == entry.start) {
        continue;
      }
      entry.loaded.store(0, std::memory_order_release);
      if (ledger::ModuleRecord* const record = records_.Ensure(file, id)) {
        record->state.store(
            static_cast<std::uint32_t>(ledger::ModuleState::kUnloaded),
            std::memory_order_release);
      }
    }
  }

 private:
  struct Entry {
    std::uint64_t start;
    std::uint64_t end;
    std::uint64_t identity;
    std::uint64_t inside;  // code that was found in it
    std::atomic<std::uint32_t> loaded;
  };

  std::uint32_t End() const {
    const std::uint32_t end = end_.load(std::memory_order_acquire);
    return end < kMaxModules ? end : kMaxModules;
  }

  template <typename Env>
  std::uint32_t Add(Env& env, LedgerFile<Env>& file, const ModuleRange& range,
                    std::uint64_t pc) {
    // Not on the stack: hooks may use little of it. A slot of the table is
    // taken first and filled in place.
    const std::uint32_t id = TakeId();
    ledger::ModuleRecord* const record =
        id == kNone ? nullptr : records_.Ensure(file, id);
    if (record == nullptr) {
      file.CountDegraded(ledger::Degraded::kModulesFull);
      return kNone;
    }
    for (std::uint8_t& byte : record->build_id) byte = 0;
    for (char& c : record->path) c = '\0';
    record->build_id_bytes = 0;
    record->start = range.start;
    record->end = range.end;
    env.DescribeModule(pc, record);
    if (const std::uint32_t known = Revive(id, *record, range, pc)) {
      spare_.store(id, std::memory_order_relaxed);
      return known;
    }
    file.header().module_end.store(End(), std::memory_order_relaxed);
    Fill(entries_[id], range, pc);
    record->state.store(
        static_cast<std::uint32_t>(ledger::ModuleState::kLoaded),
        std::memory_order_release);
    return id;
  }

  std::uint32_t TakeId() {
    const std::uint32_t spare =
        spare_.exchange(kNone, std::memory_order_relaxed);
    if (spare != kNone) return spare;
    const std::uint32_t id = end_.fetch_add(1, std::memory_order_acq_rel);
    if (id < kMaxModules) return id;
    end_.store(kMaxModules, std::memory_order_release);
    return kNone;
  }

  static void Fill(Entry& entry, const ModuleRange& range, std::uint64_t pc) {
    entry.start = range.start;
    entry.inside = pc;
    entry.end = range.end;
    entry.identity = range.identity;
    entry.loaded.store(1, std::memory_order_release);
  }

  // The unloaded module that `fresh` is again, if any; `fresh` then stays
  // unpublished, and its id serves the next one.
  std::uint32_t Revive(std::uint32_t fresh_id,
                       const ledger::ModuleRecord& fresh,
                       const ModuleRange& range, std::uint64_t pc) {
    const std::uint32_t end = End();
    for (std::uint32_t id = 1; id < end; ++id) {
      Entry& entry = entries_[id];
      if (id == fresh_id || entry.identity == 0 ||
          entry.loaded.load(std::memory_order_acquire) != 0) {
        continue;
      }
      ledger::ModuleRecord* const record = records_.At(id);
      if (record == nullptr || !SameObject(*record, fresh)) continue;
      Fill(entry, range, pc);
      record->state.store(
          static_cast<std::uint32_t>(ledger::ModuleState::kLoaded),
          std::memory_order_release);
      return id;
    }
    return kNone;
  }

  static bool SameObject(const ledger::ModuleRecord& a,
                         const ledger::ModuleRecord& b) {
    if (a.start != b.start || a.end != b.end || a.load_bias != b.load_bias ||
        a.build_id_bytes != b.build_id_bytes || a.path_bytes != b.path_bytes ||
        a.inode != b.inode) {
      return false;
    }
    for (std::uint32_t i = 0; i < ledger::kBuildIdBytes; ++i) {
      if (a.build_id[i] != b.build_id[i]) return false;
    }
    for (std::uint32_t i = 0; i < ledger::kModulePathBytes; ++i) {
      if (a.path[i] != b.path[i]) return false;
    }
    return true;
  }

  ChunkedTable<ledger::ModuleRecord,
               kMaxModules / ledger::kRecordsPerChunk<ledger::ModuleRecord>>
      records_;
  Entry entries_[kMaxModules] = {};
  std::atomic<std::uint32_t> end_{0};
  std::atomic<std::uint32_t> spare_{kNone};  // taken, but never published
};

}  // namespace heapledger::preload
