// SPDX-License-Identifier: Apache-2.0
#include "collector/exporter/measured_target.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "collector/ledger/naming.h"

namespace heapledger::collector {
namespace {

// Libraries that put another malloc in the place of glibc's.
constexpr std::string_view kOtherMallocs[] = {"libjemalloc", "libtcmalloc",
                                              "libmimalloc"};

bool HasGlibcMalloc(const LedgerSnapshot& snapshot) {
  if (snapshot.allocator != Allocator::kUnknown) {
    return snapshot.allocator == Allocator::kGlibc;
  }
  return std::ranges::none_of(
      snapshot.tables->modules, [](const ModuleInfo& module) {
        const std::string_view name = BaseName(module.path);
        return std::ranges::any_of(kOtherMallocs, [name](std::string_view lib) {
          return name.starts_with(lib);
        });
      });
}

HeapFigures FiguresOf(const LedgerSnapshot& snapshot) {
  HeapFigures heap;
  heap.ledger_file = BaseName(snapshot.path);
  heap.live_bytes = snapshot.totals.live_bytes();
  heap.glibc_malloc = HasGlibcMalloc(snapshot);
  for (const HeapCounters& callsite : snapshot.counters) {
    const std::uint64_t bytes = callsite.live_bytes();
    const std::uint64_t objects = callsite.live_objects();
    if (objects == 0) continue;
    heap.overhead_bytes += MallocOverhead(bytes, objects);
    if (bytes / objects >= kAlwaysMappedBytes) heap.mapped_live_bytes += bytes;
  }
  return heap;
}

}  // namespace

SystemTarget MeasuredTarget(const ProcessView& process) {
  const LedgerSnapshot& snapshot = *process.snapshot;
  SystemTarget target;
  target.pid = snapshot.identity.pid;
  target.start_time_ticks = snapshot.identity.start_time_ticks;
  target.process = snapshot.identity.Program();
  if (!snapshot.never_armed()) target.heap = FiguresOf(snapshot);
  return target;
}

}  // namespace heapledger::collector
