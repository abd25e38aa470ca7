// SPDX-License-Identifier: Apache-2.0
// Processes and callsites made up for tests of what is shown of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "collector/ledger/host_accounts.h"

namespace heapledger::collector {

inline HeapCounters MadeUpCounters(std::uint64_t allocated,
                                   std::uint64_t freed) {
  HeapCounters counters;
  counters.allocated_bytes = allocated * 16;
  counters.allocated_objects = allocated;
  counters.freed_bytes = freed * 16;
  counters.freed_objects = freed;
  return counters;
}

struct MadeUpProcess {
  std::string exe = "/usr/bin/program";
  std::uint32_t pid = 42;
  ProcessState state = ProcessState::kLive;
  std::size_t callsites = 3;
  std::string function = "Work";
};

inline LedgerSnapshot MadeUpSnapshot(const MadeUpProcess& process) {
  LedgerSnapshot snapshot;
  snapshot.identity.exe = process.exe;
  snapshot.identity.pid = process.pid;
  snapshot.identity.created_realtime_ns = 1'700'000'000'000'000'000;
  snapshot.mode = MeasureMode::kExact;
  snapshot.state = process.state;
  snapshot.ledger_bytes = 1 << 20;
  snapshot.cap_bytes = 48 << 20;
  snapshot.taken_realtime_ns = 1'700'000'001'500'000'000;
  auto tables = std::make_shared<SnapshotTables>();
  tables->modules.push_back(
      {.path = process.exe, .build_id = std::string("\x0a\xbc", 2)});
  snapshot.tables = std::move(tables);
  return snapshot;
}

// Callsite i has allocated 10 * (i + 1) blocks of 16 bytes and freed i; _other
// has 1 live block.
inline std::shared_ptr<ProcessView> MadeUpView(const MadeUpProcess& process) {
  LedgerSnapshot snapshot = MadeUpSnapshot(process);
  auto view = std::make_shared<ProcessView>();
  for (std::size_t i = 0; i < process.callsites; ++i) {
    CallsiteView callsite;
    callsite.fingerprint = Fingerprint(0x1000 + i);
    callsite.name.function = process.function;
    callsite.name.module = "program";
    callsite.counters = MadeUpCounters(10 * (i + 1), i);
    callsite.growth[1] = 0.5;
    snapshot.totals += callsite.counters;
    view->top.push_back(std::move(callsite));
  }
  view->other = MadeUpCounters(2, 1);
  view->other_callsites = 1;
  view->callsites = process.callsites + 1;
  snapshot.totals += view->other;
  snapshot.peak_live_bytes = snapshot.totals.live_bytes() + 1;
  view->growth[0] = 12.5;
  view->snapshot = std::make_shared<const LedgerSnapshot>(std::move(snapshot));
  return view;
}

}  // namespace heapledger::collector
