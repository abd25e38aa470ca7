// SPDX-License-Identifier: Apache-2.0
// Snapshots and names for tests of collector/ledger: no file, no symbolizer.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "collector/ledger/naming.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector::testing {

// Every frame is the function that it was given for its pc.
class FakeNames final : public FrameNames {
 public:
  const ResolvedPc& Resolve(const LedgerSnapshot& snapshot,
                            std::uint32_t frame_index) override {
    ++lookups;
    const std::uint64_t pc = snapshot.tables->frames[frame_index].pc;
    ResolvedPc& resolved = by_pc[pc];
    if (resolved.empty()) {
      ResolvedFrame frame;
      frame.function = "f" + std::to_string(pc);
      frame.module = "prog";
      resolved.push_back(std::move(frame));
    }
    return resolved;
  }

  std::map<std::uint64_t, ResolvedPc> by_pc;
  int lookups = 0;
};

// A snapshot under construction.
class SnapshotMaker {
 public:
  SnapshotMaker() : tables_(std::make_shared<SnapshotTables>()) {}

  // A callsite whose stack has these pcs, innermost first.
  std::uint32_t AddCallsite(const std::vector<std::uint64_t>& pcs) {
    SnapshotTables& tables = *tables_;
    CallsiteInfo info;
    info.id = static_cast<std::uint32_t>(tables.callsites.size() + 2);
    info.stack_begin = static_cast<std::uint32_t>(tables.stacks.size());
    info.stack_size = static_cast<std::uint32_t>(pcs.size());
    for (const std::uint64_t pc : pcs) {
      tables.stacks.push_back(static_cast<std::uint32_t>(tables.frames.size()));
      tables.frames.push_back({pc, kNoModule, false});
    }
    tables.callsites.push_back(info);
    counters_.emplace_back();
    return static_cast<std::uint32_t>(tables.callsites.size() - 1);
  }

  // The frames with this pc are Python frames.
  void MakePython(std::uint64_t pc) {
    if (tables_->codes.empty()) tables_->codes.emplace_back();
    for (FrameInfo& frame : tables_->frames) {
      if (frame.pc == pc) frame.code = 0;
    }
  }

  HeapCounters& counters(std::uint32_t callsite) { return counters_[callsite]; }
  SnapshotTables& tables() { return *tables_; }
  CallsiteInfo& callsite(std::uint32_t index) {
    return tables_->callsites[index];
  }

  std::shared_ptr<const LedgerSnapshot> At(std::uint64_t time_ns) const {
    auto snapshot = std::make_shared<LedgerSnapshot>();
    snapshot->lineage = 1;
    snapshot->tables = std::make_shared<SnapshotTables>(*tables_);
    snapshot->counters = counters_;
    for (const HeapCounters& c : counters_) snapshot->totals += c;
    snapshot->taken_monotonic_ns = time_ns;
    return snapshot;
  }

 private:
  std::shared_ptr<SnapshotTables> tables_;
  std::vector<HeapCounters> counters_;
};

}  // namespace heapledger::collector::testing
