// SPDX-License-Identifier: Apache-2.0
// A module while lookups go on in it: its files, and the names that are known
// already, be it from an earlier run. May be closed and opened again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "symbolizer/frame.h"
#include "symbolizer/module.h"
#include "symbolizer/name_cache.h"
#include "symbolizer/name_table.h"
#include "symbolizer/symbolizer.h"

namespace heapledger::symbolizer {

class OpenModule {
 public:
  // `cache` may be null; then nothing is remembered.
  void Open(const ModuleRef& ref, const Options& options,
            Debuginfod* debuginfod, const NameCache* cache);
  void Close();
  bool is_open() const { return module_ != nullptr; }

  // As Module::Resolve.
  std::vector<Frame> Resolve(std::uint64_t address);

  // Enough is new that writing it all again is worth the while.
  bool IsWorthStoring() const;
  // Stores what is new, if anything is.
  void Store(const NameCache& cache);

  // What became of the module, into its entry.
  void UpdateStats(Stats& stats) const;

  std::size_t stats_index() const { return stats_index_; }
  void set_stats_index(std::size_t index) { stats_index_ = index; }
  std::uint64_t last_use() const { return last_use_; }  // 0: never
  void set_last_use(std::uint64_t time) { last_use_ = time; }

 private:
  std::unique_ptr<Module> module_;
  std::string build_id_;
  bool remembers_ = false;
  bool from_disk_ = false;  // known_ tells reason, detail and debug file too
  NameTable known_;
  std::size_t fresh_ = 0;  // entries of known_ that are not on disk
  std::size_t stats_index_ = 0;
  std::uint64_t last_use_ = 0;
};

}  // namespace heapledger::symbolizer
