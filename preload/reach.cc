// SPDX-License-Identifier: Apache-2.0
#include "preload/reach.h"

#include <sys/syscall.h>

#include "preload/raw_io.h"
#include "preload/reach_scan.h"

namespace heapledger::preload {
namespace {

using ledger::ScanReason;
using scan::Mapping;

constexpr std::uint64_t kTimeoutNs = 10'000'000'000;
constexpr std::uint64_t kParkTimeoutNs = 1'000'000'000;

ScanReason Reach(ReachScan& scan, ScanEnv& env, const CallerState& caller,
                 ReachResult& result) {
  if (const ScanReason reason = scan.BuildIndex(env);
      reason != ScanReason::kNone) {
    return reason;
  }
  scan::BlockIndex& index = scan.index();
  result.blocks = index.blocks();
  if (result.blocks == 0) return ScanReason::kNone;
  auto* const list = static_cast<std::uint64_t*>(
      env.MapPrivate(result.blocks * sizeof(std::uint64_t)));
  if (list == nullptr) return ScanReason::kNoMemory;
  scan.FindThreadBlocks();
  scan.ClearNotRoots();
  scan.AddDeadStacks(&caller);
  scan.AddOwnMemory();
  scan.AddHeap(ReachScan::LargeBlocks::kFind);
  if (!scan.SealNotRoots()) return ScanReason::kTooManyMappings;

  ScanMemory& memory = scan.memory();
  ReachScan::BlockMarker marker(memory, scan.allocator(), index, list);
  scan.MarkThreads(marker, &caller);
  scan.MarkInherited(marker);
  scan.MarkIgnored(marker);
  for (const Mapping& mapping : memory) {
    if (scan.IsRoot(mapping)) {
      scan.MarkRoots(marker, mapping, mapping.start, mapping.end);
    }
  }
  if (memory.refused()) return ScanReason::kRootsUnreadable;
  if (!marker.Drain()) return ScanReason::kTimeout;

  std::uint64_t unmarked = 0;
  index.ForEachUnmarked([&unmarked](std::uint64_t) {
    ++unmarked;
    return true;
  });
  if (unmarked == 0) return ScanReason::kNone;
  // Not the scan's own: the result lives on.
  result.leaks = static_cast<scan::LeakedBlock*>(
      raw::MapPrivate(unmarked * sizeof(scan::LeakedBlock)));
  if (result.leaks == nullptr) return ScanReason::kNoMemory;
  result.leak_count = scan::CollectLeaks(index, result.leaks, unmarked);
  return scan::SplitLeaks(marker, index, result.leaks, result.leak_count,
                          memory)
             ? ScanReason::kNone
             : ScanReason::kTimeout;
}

void Run(ReachScan& scan, ScanEnv& env, const CallerState& caller,
         ReachResult& result) {
  const std::uint64_t begin = raw::PreciseNs();
  scan.Begin(static_cast<std::int32_t>(raw::Call(SYS_getpid)),
             static_cast<std::int32_t>(raw::Call(SYS_gettid)));
  ParkingLot& lot = scan.lot();
  result.reason = lot.Park(kParkTimeoutNs);
  if (result.reason == ScanReason::kNone) {
    lot.ForEach([&result](const ParkedThread&) { ++result.threads; });
    result.reason = scan.memory().Open(begin + kTimeoutNs);
    if (result.reason == ScanReason::kNone) {
      result.reason = Reach(scan, env, caller, result);
    }
    scan.memory().Close();
  }
  result.root_bytes = scan.root_bytes();
  result.pause_ns = raw::PreciseNs() - begin;
  lot.Release();
}

}  // namespace

ReachResult FindUnreachable(const CallerState& caller) {
  ReachResult result;
  void* const memory = raw::MapPrivate(sizeof(ReachScan));
  if (memory == nullptr) {
    result.reason = ScanReason::kNoMemory;
    return result;
  }
  ScanEnv env;
  Run(*static_cast<ReachScan*>(memory), env, caller, result);
  env.ReleaseAll();
  // The parking lot stays: a late signal may still ask for it.
  return result;
}

}  // namespace heapledger::preload
