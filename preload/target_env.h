// SPDX-License-Identifier: Apache-2.0
// What core/ and unwind/ get from the target: memory by raw system calls,
// modules and their unwind data by glibc's lock-free _dl_find_object. Nothing
// here takes a lock or allocates from the watched allocator.
#pragma once

#include <cstddef>
#include <cstdint>

#include "preload/core/env.h"
#include "preload/core/module_table.h"
#include "preload/unwind/walker.h"

namespace heapledger::preload {

class TargetEnv {
 public:
  // Maps the rule cache. False when refused.
  bool Open();
  void set_ledger_base(std::byte* base) { ledger_base_ = base; }

  // MemoryEnv
  void* MapPrivate(std::size_t bytes);
  void Unmap(void* at, std::size_t bytes);
  void Discard(void* at, std::size_t bytes);
  bool Populate(std::uint32_t page, std::uint32_t pages);

  // ModuleEnv
  bool FindModule(std::uint64_t pc, ModuleRange* range);
  void DescribeModule(std::uint64_t pc, ledger::ModuleRecord* record);
  [[nodiscard]] std::uint64_t NowNs() const;

  // unwind::WalkEnv
  unwind::RuleCache& rule_cache() { return rule_cache_; }
  bool FindSection(std::uint64_t pc, unwind::EhFrameSection* section);

 private:
  static constexpr std::uint32_t kRuleEntries = 1U << 16;
  static constexpr std::uint32_t kDictionarySlots = 4096;

  std::byte* ledger_base_ = nullptr;
  unwind::RuleCache rule_cache_;
};

static_assert(ModuleEnv<TargetEnv>);
static_assert(unwind::WalkEnv<TargetEnv>);

}  // namespace heapledger::preload
