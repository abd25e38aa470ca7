// SPDX-License-Identifier: Apache-2.0
#include "preload/live_reach.h"

#include "preload/lifecycle.h"
#include "preload/raw_io.h"
#include "preload/scan/block_extent.h"
#include "preload/scan/heap_area.h"

namespace heapledger::preload {
namespace {

using ledger::ScanReason;
using scan::Mapping;
using scan::Range;

// Rounds over what was written while the round before went on; so many pages
// are left for the time when the threads stand still.
constexpr int kMostRounds = 6;
constexpr std::uint64_t kFewBytes = 256 * 4096;
// Every tracked part of a mapping may cut it in three, and the program must
// keep its share of what the kernel allows.
constexpr std::uint32_t kMostMappings = 16384;
constexpr std::uint32_t kMostLostStacks = 256;
constexpr std::uint64_t kGranuleBytes = 1ULL << ObjectMap::kGranuleShift;

class LiveReach {
 public:
  LiveReach(ReachScan& scan, DirtyPages& pages, ScanEnv& env,
            const LiveLimits& limits)
      : scan_(scan), pages_(pages), env_(env), limits_(limits) {}

  void Run(ReachResult& result);

 private:
  using Marker = ReachScan::BlockMarker;

  ScanReason Prepare(ReachResult& result);
  void Track();
  ScanReason MarkWhileRunning(Marker& marker);
  void CatchUp(Marker& marker);
  ScanReason TakeCandidates(ReachResult& result);
  ScanReason StandStill(Marker& marker, ReachResult& result);
  ScanReason MarkStandingStill(Marker& marker, ReachResult& result);
  void KeepLiveCandidates(ReachResult& result);
  ScanReason Settle(Marker& marker, ReachResult& result);

  void MarkWritten(Marker& marker, const Mapping& mapping, std::uint64_t low,
                   std::uint64_t high);
  void MarkHeap(Marker& marker, std::uint64_t low, std::uint64_t high);
  void MarkRange(Marker& marker, std::uint64_t low, std::uint64_t high);
  [[nodiscard]] std::uint64_t FirstBlockFrom(std::uint64_t low,
                                             std::uint64_t high) const;
  // Whether the kernel keeps account of writes to it, where it does at all.
  static bool IsTrackable(const Mapping& mapping) {
    return !mapping.shared && mapping.kind != Mapping::Kind::kMemoryFile &&
           (mapping.anonymous() || mapping.writable);
  }
  [[nodiscard]] ScanReason WhyLate(ScanReason otherwise) const {
    return scan_.memory().owner_is_gone() ? ScanReason::kProgramLeft
                                          : otherwise;
  }

  ReachScan& scan_;
  DirtyPages& pages_;
  ScanEnv& env_;
  const LiveLimits limits_;
  bool tracks_ = false;
  std::uint64_t* list_ = nullptr;
  std::uint64_t deadline_ns_ = 0;
};

void LiveReach::Run(ReachResult& result) {
  deadline_ns_ = raw::PreciseNs() + limits_.total_ns;
  result.reason = scan_.memory().Open(deadline_ns_);
  if (result.reason == ScanReason::kNone) result.reason = Prepare(result);
  if (result.reason == ScanReason::kNone && result.blocks != 0) {
    Marker marker(scan_.memory(), scan_.allocator(), scan_.index(), list_);
    if (tracks_) result.reason = MarkWhileRunning(marker);
    if (result.reason == ScanReason::kNone) {
      result.reason = TakeCandidates(result);
    }
    if (result.reason == ScanReason::kNone) {
      result.reason = StandStill(marker, result);
    }
    pages_.Close();
    if (result.reason == ScanReason::kNone) {
      result.reason = Settle(marker, result);
    }
  }
  pages_.Close();
  scan_.memory().Close();
  result.root_bytes = scan_.root_bytes();
}

ScanReason LiveReach::Prepare(ReachResult& result) {
  const std::uint32_t mappings =
      static_cast<std::uint32_t>(scan_.memory().end() - scan_.memory().begin());
  if (mappings > kMostMappings) return ScanReason::kTooManyMappings;
  tracks_ = pages_.Open();
  if (tracks_) Track();
  if (const ScanReason reason = scan_.BuildIndex(env_);
      reason != ScanReason::kNone) {
    return reason;
  }
  result.blocks = scan_.index().blocks();
  if (result.blocks == 0) return ScanReason::kNone;
  list_ = static_cast<std::uint64_t*>(
      env_.MapPrivate(result.blocks * sizeof(std::uint64_t)));
  return list_ == nullptr ? ScanReason::kNoMemory : ScanReason::kNone;
}

void LiveReach::Track() {
  // Our own memory is written to all the time, and no root.
  scan_.ClearNotRoots();
  scan_.AddOwnMemory();
  scan_.SealNotRoots();
  for (const Mapping& mapping : scan_.memory()) {
    if (!scan_.IsRoot(mapping) || !IsTrackable(mapping) ||
        mapping.kind == Mapping::Kind::kStack) {
      continue;
    }
    scan_.not_roots().ForEachGap(
        mapping.start, mapping.end,
        [this](std::uint64_t low, std::uint64_t high) {
          low = low / scan::kPageBytes * scan::kPageBytes;
          pages_.Track(low, scan::RoundUp(high, scan::kPageBytes));
          return !scan_.memory().TimeIsUp();
        });
  }
}

ScanReason LiveReach::MarkWhileRunning(Marker& marker) {
  scan_.FindThreadBlocks();
  scan_.ClearNotRoots();
  scan_.AddWholeStacks();
  scan_.AddOwnMemory();
  scan_.AddHeap(ReachScan::LargeBlocks::kFind);
  if (!scan_.SealNotRoots()) return ScanReason::kTooManyMappings;
  scan_.MarkInherited(marker);
  scan_.MarkIgnored(marker);
  for (const Mapping& mapping : scan_.memory()) {
    if (scan_.IsRoot(mapping)) {
      scan_.MarkRoots(marker, mapping, mapping.start, mapping.end);
    }
  }
  if (!marker.Drain()) return WhyLate(ScanReason::kTimeout);
  CatchUp(marker);
  return marker.Drain() ? ScanReason::kNone : WhyLate(ScanReason::kTimeout);
}

void LiveReach::CatchUp(Marker& marker) {
  std::uint64_t before = ~0ULL;
  for (int round = 0; round < kMostRounds; ++round) {
    std::uint64_t written = 0;
    pages_.ForEachWritten(
        DirtyPages::Then::kForget, [&](std::uint64_t low, std::uint64_t high) {
          written += high - low;
          if (const Mapping* const mapping = scan_.memory().Find(low)) {
            MarkWritten(marker, *mapping, low, high);
          }
        });
    if (!marker.Drain() || written < kFewBytes || written > before / 2) return;
    before = written;
  }
}

// --- Candidates ---

ScanReason LiveReach::TakeCandidates(ReachResult& result) {
  std::uint64_t unmarked = 0;
  scan_.index().ForEachUnmarked([&unmarked](std::uint64_t) {
    ++unmarked;
    return true;
  });
  result.leaks = static_cast<scan::LeakedBlock*>(
      env_.MapPrivate((unmarked + 1) * sizeof(scan::LeakedBlock)));
  if (result.leaks == nullptr) return ScanReason::kNoMemory;
  result.leak_count = scan::CollectLeaks(scan_.index(), result.leaks, unmarked);
  return ScanReason::kNone;
}

// A block may have been freed since, and another one be about to take its
// place: only now, while nothing moves, it can be told.
void LiveReach::KeepLiveCandidates(ReachResult& result) {
  const ObjectMap& objects = g_books->objects();
  std::uint64_t kept = 0;
  for (std::uint64_t i = 0; i < result.leak_count; ++i) {
    if (i % 4096 == 0 && scan_.memory().TimeIsUp()) return;
    const scan::LeakedBlock& leak = result.leaks[i];
    if (leak.slot_word == 0 || scan_.index().IsMarked(leak.block) ||
        scan_.index().SlotWordOf(leak.block) != leak.slot_word ||
        !objects.IsStart(leak.block)) {
      continue;
    }
    result.leaks[kept++] = leak;
  }
  result.leak_count = kept;
}

ScanReason LiveReach::Settle(Marker& marker, ReachResult& result) {
  return scan::SplitLeaks(marker, scan_.index(), result.leaks,
                          result.leak_count, scan_.memory())
             ? ScanReason::kNone
             : WhyLate(ScanReason::kTimeout);
}

// --- While the threads stand still ---

ScanReason LiveReach::StandStill(Marker& marker, ReachResult& result) {
  ParkingLot& lot = scan_.lot();
  const std::uint64_t begin = raw::PreciseNs();
  scan_.memory().Close();
  ScanReason reason = lot.ParkGuests(limits_.pause_ns, 2 * limits_.pause_ns);
  if (reason == ScanReason::kNone) {
    lot.ForEach([&result](const ParkedThread&) { ++result.threads; });
    reason = scan_.memory().Open(begin + limits_.pause_ns);
  }
  if (reason == ScanReason::kNone) reason = MarkStandingStill(marker, result);
  result.pause_ns = raw::PreciseNs() - begin;
  const bool stayed = lot.ReleaseGuests();
  scan_.memory().Extend(deadline_ns_);
  if (reason == ScanReason::kNone && !stayed) return ScanReason::kPauseTooLong;
  return reason;
}

ScanReason LiveReach::MarkStandingStill(Marker& marker, ReachResult& result) {
  ScanMemory& memory = scan_.memory();
  Range lost[kMostLostStacks];
  std::uint32_t lost_count = 0;
  scan_.RecheckThreadBlocks([&](std::uint64_t low, std::uint64_t high) {
    if (lost_count < kMostLostStacks) lost[lost_count] = {low, high};
    ++lost_count;
  });
  if (lost_count > kMostLostStacks) return ScanReason::kThreadMissed;
  scan_.ClearNotRoots();
  scan_.AddDeadStacks(nullptr);
  scan_.AddOwnMemory();
  scan_.AddHeap(tracks_ ? ReachScan::LargeBlocks::kRecheck
                        : ReachScan::LargeBlocks::kFind);
  if (!scan_.SealNotRoots()) return ScanReason::kTooManyMappings;
  scan_.MarkThreads(marker, nullptr);
  if (!tracks_) {
    scan_.MarkInherited(marker);
    scan_.MarkIgnored(marker);
  }
  for (std::uint32_t i = 0; i < lost_count; ++i) {
    MarkRange(marker, lost[i].start, lost[i].end);
  }
  for (const Mapping& mapping : memory) {
    if (!scan_.IsRoot(mapping)) continue;
    if (!tracks_ || !IsTrackable(mapping)) {
      // Read-only by now and before: looked at already.
      if (!tracks_ || mapping.shared || mapping.writable) {
        scan_.MarkRoots(marker, mapping, mapping.start, mapping.end);
      }
      continue;
    }
    pages_.ForEachWritten(mapping.start, mapping.end, DirtyPages::Then::kLeave,
                          [&](std::uint64_t low, std::uint64_t high) {
                            MarkWritten(marker, mapping, low, high);
                          });
    if (memory.TimeIsUp()) return WhyLate(ScanReason::kPauseTooLong);
  }
  if (memory.refused()) return ScanReason::kRootsUnreadable;
  if (!marker.Drain()) return WhyLate(ScanReason::kPauseTooLong);
  KeepLiveCandidates(result);
  return memory.TimeIsUp() ? WhyLate(ScanReason::kPauseTooLong)
                           : ScanReason::kNone;
}

// --- Pages that were written to ---

void LiveReach::MarkWritten(Marker& marker, const Mapping& mapping,
                            std::uint64_t low, std::uint64_t high) {
  scan_.MarkRoots(marker, mapping, low, high);
  scan_.heap().ForEachPart(low, high,
                           [&](std::uint64_t from, std::uint64_t to) {
                             MarkHeap(marker, from, to);
                           });
}

// Of the heap only what lies in blocks that are reached, or that came after the
// index was made; a block that is not will be read when it is.
void LiveReach::MarkHeap(Marker& marker, std::uint64_t low,
                         std::uint64_t high) {
  ScanMemory& memory = scan_.memory();
  const scan::BlockIndex& index = scan_.index();
  const std::uint64_t first = FirstBlockFrom(low, high);
  const std::uint64_t before = index.Before(low - 1);
  if (before == 0 || index.IsMarked(before) ||
      before + kGranuleBytes + index.SizeOf(before) <= low) {
    // Of a block that is reached, of a new one, or of none.
    MarkRange(marker, low, first);
  }
  for (std::uint64_t at = first; at < high;) {
    const BlockRecord record = ObjectMap::Read(g_books->objects().Find(at));
    const bool known = index.Before(at) == at;
    if (!known || index.IsMarked(at)) {
      const scan::BlockExtent extent =
          scan::ExtentOf(memory, scan_.allocator(), at, record.bytes);
      MarkRange(marker, extent.begin, extent.end < high ? extent.end : high);
    }
    at = FirstBlockFrom(at + ObjectMap::SlotsOf(record.bytes) * kGranuleBytes,
                        high);
  }
}

std::uint64_t LiveReach::FirstBlockFrom(std::uint64_t low,
                                        std::uint64_t high) const {
  const ObjectMap& objects = g_books->objects();
  for (low = low / kGranuleBytes * kGranuleBytes; low < high;
       low += kGranuleBytes) {
    const ObjectMap::Slot* const slot = objects.Find(low);
    if (slot == nullptr) {
      low = (low | ((1ULL << ObjectMap::kLeafShift) - 1)) + 1 - kGranuleBytes;
      continue;
    }
    if (slot->load(std::memory_order_relaxed) != 0 && objects.IsStart(low)) {
      return low;
    }
  }
  return high;
}

void LiveReach::MarkRange(Marker& marker, std::uint64_t low,
                          std::uint64_t high) {
  scan_.memory().ForEachWord(low, high, [&marker](std::uint64_t word) {
    marker.Reach(marker.BlockOf(word));
  });
}

}  // namespace

ReachResult FindUnreachableAlive(ReachScan& scan, DirtyPages& pages,
                                 ScanEnv& env, std::int32_t pid,
                                 std::int32_t own_tid,
                                 const LiveLimits& limits) {
  ReachResult result;
  scan.Begin(pid, own_tid);
  scan.memory().FollowOwner(pid);
  LiveReach(scan, pages, env, limits).Run(result);
  return result;
}

}  // namespace heapledger::preload
