// SPDX-License-Identifier: Apache-2.0
// A target for core/ made of arrays: memory that can be refused, a ledger of a
// given size, modules that the test loads and unloads.
#pragma once

#include <cstdlib>
#include <cstring>
#include <vector>

#include "heapledger/ledger/layout.h"
#include "preload/core/books.h"
#include "preload/core/module_table.h"
#include "tests/support/no_alloc_guard.h"

namespace heapledger::preload {

class FakeEnv {
 public:
  explicit FakeEnv(std::uint32_t ledger_pages = 4096)
      : ledger_(static_cast<std::byte*>(std::aligned_alloc(
            ledger::kPageBytes,
            std::size_t{ledger_pages} * ledger::kPageBytes))),
        pages_(ledger_pages) {
    std::memset(ledger_, 0, std::size_t{pages_} * ledger::kPageBytes);
  }
  ~FakeEnv() {
    std::free(ledger_);
    for (void* area : areas_) std::free(area);
  }
  FakeEnv(const FakeEnv&) = delete;
  FakeEnv& operator=(const FakeEnv&) = delete;

  // MemoryEnv
  void* MapPrivate(std::size_t bytes) {
    if (refuse_memory) return nullptr;
    const testing::NoAllocGuard::Pause pause;
    void* const area = std::calloc(1, bytes);
    areas_.push_back(area);
    return area;
  }
  void Unmap(void*, std::size_t) {}
  void Discard(void* at, std::size_t bytes) { std::memset(at, 0, bytes); }
  bool Populate(std::uint32_t page, std::uint32_t pages) {
    ++populate_calls;
    return page + pages <= room_pages;
  }

  // ModuleEnv: a module is a range with an identity; none means no module.
  bool FindModule(std::uint64_t pc, ModuleRange* range) {
    for (const ModuleRange& module : modules) {
      if (pc < module.start || pc >= module.end) continue;
      *range = module;
      return true;
    }
    return false;
  }
  std::uint64_t NowNs() const { return now_ns; }
  void DescribeModule(std::uint64_t pc, ledger::ModuleRecord* record) {
    ModuleRange range;
    if (!FindModule(pc, &range)) return;
    // Modules are told apart by the start of their range: same path then.
    record->load_bias = range.start;
    record->path_bytes = 1;
    record->path[0] = 'm';
  }

  std::byte* ledger() { return ledger_; }
  std::uint64_t cap_bytes() const {
    return std::uint64_t{pages_} * ledger::kPageBytes;
  }

  bool refuse_memory = false;
  std::uint32_t room_pages = ~0U;
  std::uint32_t populate_calls = 0;
  std::uint64_t now_ns = 0;
  std::vector<ModuleRange> modules;

 private:
  std::byte* ledger_;
  std::uint32_t pages_;
  std::vector<void*> areas_;
};

}  // namespace heapledger::preload
