// SPDX-License-Identifier: Apache-2.0
// Adaptive depth: whether the stack of an allocation is walked in full, or cut
// after its two innermost return addresses, the key. A cut allocation is booked
// on the key's cut callsite, exactly; all that is lost is who called from
// further out. So only keys are cut that have much traffic and hold nothing.
//
// Whether a key holds anything is read off the counters of its cut callsite,
// which are kept in any case: what was cut and is still alive. They are looked
// at after each step of at most about 1,000 blocks:
//
//   watch --hot--> cut step ... cut step --run over--> probe --> longer run
//     ^               |
//     |               '--much alive--> doubt --no more--> same run again
//     |                                  |
//     '------------- hold <--------------'--still alive
//
//  * watch, hold, probe and doubt walk in full. Runs of cut steps grow from 1/8
//    of a step to 64 steps; a probe in between renews the names of what is hot.
//  * Doubt: stop cutting first, judge after. Blocks that were just in use at
//    that moment are gone at the end of a short walk in full; what is held is
//    not, and the key goes on hold.
//  * A slow leak shows in no single step. But the least that was alive at any
//    look of a window never grows by itself: once it has, the key holds memory.
//  * A hold lasts for a number of blocks and for four times as long as it took
//    to find out, both doubled by each further one. So most blocks of a slow
//    leak get a full stack.
//
// A step is a sum over its blocks of bytes + kBlockUnits, and all keys that are
// being cut share 1/32 of the live bytes of the process between their steps: so
// much of the peak may lack stacks if all of them changed their habits just
// then. What is left over from before has a bound of its own (TooMuchUnnamed).
//
// Thread safety: a governor belongs to one thread, the counters that it looks
// at are the process'. Callers keep signal handlers out (ReentryGuard); one
// that gets in or jumps out makes at worst one decision for another key.
//
// All zeros is a governor that knows no key.
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>

#include "preload/unwind/stack_hash.h"

namespace heapledger::preload {

enum class Depth : std::uint32_t { kFull = 0, kCut = 1 };

// callsite: where to book a cut allocation. 0: not known yet; intern the two
// frames with ledger::kCallsiteCut and tell NameCut().
struct Decision {
  Depth depth;
  std::uint32_t callsite;
};

struct LiveCount {
  std::int64_t objects;
  std::int64_t bytes;
};

// What a governor asks of the process, at the end of steps only.
// LiveOf: allocated minus freed of a callsite, over all shards.
// LiveBytes: of the whole process.
// Seconds: of any clock that only grows; roughly is enough.
// FullUntil: the second until which somebody wants all stacks in full; 0:
// nobody does. Every key of every thread heeds it at its next look.
template <typename Books>
concept GovernedBooks = requires(Books books, std::uint32_t callsite) {
  { books.LiveOf(callsite) } -> std::same_as<LiveCount>;
  { books.LiveBytes() } -> std::same_as<std::int64_t>;
  { books.Seconds() } -> std::same_as<std::uint32_t>;
  { books.FullUntil() } -> std::same_as<std::uint32_t>;
};

class Governor {
 public:
  // Larger blocks are walked in full: few, and each counts.
  static constexpr std::uint64_t kMaxCutBytes = 4096;
  static constexpr std::uint32_t kEntries = 512;

  // `generation`: of the modules (see Books). After a dlclose the same
  // addresses may be other code: other keys then, which inherit no callsite.
  // `tag`: likewise, a stack under another tag is another callsite; 0: none.
  static std::uint64_t KeyOf(std::uint64_t pc, std::uint64_t caller_pc,
                             std::uint32_t generation, std::uint32_t tag) {
    // Above the bits of an address. And 0 is no key.
    const std::uint64_t above = std::uint64_t{generation} << 47;
    const std::uint64_t key = Mix(pc ^ above, caller_pc);
    return (tag == 0 ? key : Mix(key, tag)) | 1;
  }

  // `over_budget`: stacks cost this thread more than they may. Nothing is cut
  // otherwise, nor is anything learnt.
  template <GovernedBooks Books>
  Decision Decide(std::uint64_t key, std::uint64_t bytes, bool over_budget,
                  Books& books) {
    if (!over_budget || bytes > kMaxCutBytes) return {Depth::kFull, 0};
    Entry* entry = &entries_[key / 2 % kSets * 2];
    if (entry->key != key) ++entry;
    if (entry->key == key) [[likely]] {
      entry->credit -= Units(bytes);
      if (entry->credit >= 0) [[likely]]
        return Answer(*entry);
    }
    return DecideSlow(key, bytes, books);
  }

  // Tells the callsite that stands for the cut stack of a key.
  void NameCut(std::uint64_t key, std::uint32_t callsite) {
    Entry* const entry = Find(key);
    if (entry == nullptr) return;
    entry->cut_callsite = callsite;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (entry->key != key) entry->cut_callsite = 0;
  }

  // Forgets every key. For when somebody else may have written here.
  void Clear() {
    for (Entry& entry : entries_) entry = {};
    for (std::uint16_t& noted : unnamed_of_) noted = 0;
    unnamed_bytes_ = 0;
    cutting_ = 0;
  }

  // Allocations of this thread that were cut: for CostMeter.
  std::uint64_t cut() const { return cut_; }

 private:
  enum State : std::uint8_t { kWatch, kHold, kProbe, kDoubt, kCut };

  struct Entry {
    std::uint64_t key;
    std::uint32_t cut_callsite;
    std::int32_t credit;        // units until the next look
    std::uint16_t heat;         // traffic lately, against evictions
    std::uint16_t mark;         // credit / 256 when heat was last settled
    std::uint16_t floor;        // objects alive that are no news
    std::uint16_t least;        // alive at any look of this window
    std::uint16_t since;        // second: window or watch began; hold ends
    std::uint16_t trial_since;  // second: first cut since the last hold
    State state;
    std::uint8_t steps;          // left of this run or doubt
    std::uint8_t looks : 4;      // of this window
    std::uint8_t run : 4;        // index into kRuns
    std::uint8_t holds : 4;      // not forgiven yet
    std::uint8_t tolerance : 4;  // doublings of what is doubted
  };
  static_assert(sizeof(Entry) == 32);  // two fill a cache line: one set

  static constexpr std::uint32_t kSets = kEntries / 2;

  // Lengths in units; a small block is about 300.
  static constexpr std::int32_t kBlockUnits = 256;
  static constexpr std::int32_t kWatchUnits = 1024 * kBlockUnits;
  static constexpr std::int32_t kHoldUnits = 4096 * kBlockUnits;
  static constexpr std::int32_t kProbeUnits = 64 * kBlockUnits;
  static constexpr std::int32_t kDoubtUnits = 256 * kBlockUnits;
  static constexpr std::uint8_t kDoubtSteps = 4;
  static constexpr std::int32_t kMaxStepUnits = 1024 * kBlockUnits;
  static constexpr std::int32_t kMinStepUnits = 32 * kBlockUnits;

  struct Run {
    std::int32_t step_units;
    std::uint8_t steps;
  };
  static constexpr Run kRuns[] = {
      {kMaxStepUnits / 8, 1}, {kMaxStepUnits / 2, 1}, {kMaxStepUnits, 2},
      {kMaxStepUnits, 8},     {kMaxStepUnits, 32},    {kMaxStepUnits, 64}};
  static constexpr std::uint8_t kLastRun = sizeof(kRuns) / sizeof(kRuns[0]) - 1;

  // A window is long enough for in-use blocks to come and go (seconds), and has
  // looks enough for the least of them to mean something.
  static constexpr std::uint8_t kWindowLooks = 4;
  static constexpr std::uint16_t kWindowSeconds = 2;
  // A key so slow that steps take seconds saves nothing, and would be looked at
  // too rarely.
  static constexpr std::uint16_t kColdWatchSeconds = 4;
  static constexpr std::uint16_t kColdWindowSeconds = 32;

  static constexpr std::int64_t kLeakObjects = 8;
  static constexpr std::int64_t kDoubtObjects = 20;
  // Each unfounded doubt doubles the number until a window is over: so many
  // blocks of this key are in use at a time.
  static constexpr std::uint8_t kMaxTolerance = 5;
  // A key may have 1/1024 of the live bytes alive without stacks. The bounds
  // are for small programs, whose temporary blocks would all be doubtful, and
  // for large ones, where that much is worth a name.
  static constexpr std::int64_t kMinDoubtBytes = 8 << 10;
  static constexpr std::int64_t kMaxDoubtBytes = 64 << 10;

  // And all keys together 1/64; beyond that, each that has more than a block or
  // two is doubted.
  static constexpr std::int64_t kMinUnnamedBytes = 16 << 10;
  static constexpr std::int64_t kScarceDoubtBytes = 1 << 10;
  static constexpr std::int64_t kNotedBytes = 64;

  static constexpr std::uint8_t kMaxHolds = 10;
  // One hold is forgiven for each window past this age of a trial: longer than
  // a leak of one block in two seconds takes to be found out.
  static constexpr std::uint16_t kForgivingSeconds = 32;
  static constexpr std::uint32_t kMaxHoldSeconds = 1 << 14;

  // Of cold keys against hot ones: an owner with 1/5 of the traffic of its
  // place keeps it. The bound lets a key that ended go after 1,024 misses.
  static constexpr std::uint32_t kHeatPerBlock = 4;
  static constexpr std::uint16_t kMaxHeat = 1024;
  static constexpr std::uint16_t kFirstHeat = 64;

  static std::int32_t Units(std::uint64_t bytes) {
    return static_cast<std::int32_t>(bytes) + kBlockUnits;
  }

  Decision Answer(const Entry& entry) {
    if (entry.state != kCut) return {Depth::kFull, 0};
    ++cut_;
    return {Depth::kCut, entry.cut_callsite};
  }

  Entry* Find(std::uint64_t key) {
    Entry* const set = &entries_[key / 2 % kSets * 2];
    if (set[0].key == key) return &set[0];
    return set[1].key == key ? &set[1] : nullptr;
  }

  template <typename Books>
  [[gnu::noinline]] Decision DecideSlow(std::uint64_t key, std::uint64_t bytes,
                                        Books& books) {
    Entry* const entry = Find(key);
    if (entry == nullptr) {
      Claim(key, books);
      return {Depth::kFull, 0};
    }
    Advance(*entry, books.Seconds(), books);
    entry->credit -= Units(bytes);
    return Answer(*entry);
  }

  // Gives the key the colder place of its set, once the owner has cooled down.
  template <typename Books>
  void Claim(std::uint64_t key, Books& books) {
    Entry* const set = &entries_[key / 2 % kSets * 2];
    Cool(set[0]);
    Cool(set[1]);
    Entry& entry = set[0].heat <= set[1].heat ? set[0] : set[1];
    if (entry.heat > 0) return;
    if (entry.state == kCut) --cutting_;
    Note(entry, 0);
    entry = {};
    Watch(entry, books.Seconds());
    entry.heat = kFirstHeat;
    std::atomic_signal_fence(std::memory_order_release);
    entry.key = key;
  }

  // Adds the traffic since the last time.
  static void Warm(Entry& entry) {
    const auto mark = static_cast<std::uint16_t>(entry.credit / kBlockUnits);
    const std::uint32_t blocks = static_cast<std::uint16_t>(entry.mark - mark);
    const std::uint32_t heat = entry.heat + blocks * kHeatPerBlock;
    entry.heat = heat < kMaxHeat ? static_cast<std::uint16_t>(heat) : kMaxHeat;
    entry.mark = mark;
  }

  // Takes off what one miss costs.
  static void Cool(Entry& entry) {
    Warm(entry);
    if (entry.heat > 0) --entry.heat;
  }

  void Enter(Entry& entry, State state, std::int32_t units) {
    Warm(entry);
    if (entry.state == kCut) --cutting_;
    if (state == kCut) ++cutting_;
    entry.state = state;
    entry.credit = units;
    entry.mark = static_cast<std::uint16_t>(units / kBlockUnits);
  }

  void Watch(Entry& entry, std::uint32_t now) {
    Enter(entry, kWatch, kWatchUnits);
    entry.since = static_cast<std::uint16_t>(now);
  }

  // Seconds from `since` to `now`, in 16 bits: a key left alone for a multiple
  // of 18 hours seems never to have been.
  static std::uint16_t Elapsed(std::uint32_t now, std::uint16_t since) {
    return static_cast<std::uint16_t>(now - since);
  }

  // Ends what the key was in and begins what comes next.
  template <typename Books>
  void Advance(Entry& entry, std::uint32_t now, Books& books) {
    if (now < books.FullUntil()) return Watch(entry, now);
    if (entry.state == kWatch) {
      const bool hot = Elapsed(now, entry.since) <= kColdWatchSeconds;
      return hot ? StartTrial(entry, now, books) : Watch(entry, now);
    }
    if (entry.state == kHold) {
      const bool over =
          static_cast<std::int16_t>(Elapsed(now, entry.since)) >= 0;
      return over ? Watch(entry, now) : Enter(entry, kHold, kWatchUnits);
    }
    // Without a callsite nothing is known: as if all that was cut were held.
    if (entry.cut_callsite == 0) return Hold(entry, now);
    const LiveCount alive = books.LiveOf(entry.cut_callsite);
    const std::int64_t total = books.LiveBytes();
    Note(entry, alive.bytes);
    const bool doubtful = IsDoubtful(
        entry, alive, total, entry.state == kDoubt ? 0 : entry.tolerance);
    switch (Look(entry, alive, now)) {
      case Finding::kHolds:
        return Hold(entry, now);
      case Finding::kCold:
        return Watch(entry, now);
      case Finding::kNothing:
        break;
    }
    switch (entry.state) {
      case kCut:
        if (doubtful) return StartDoubt(entry);
        if (entry.steps <= 1) return Enter(entry, kProbe, kProbeUnits);
        --entry.steps;
        return Enter(entry, kCut, StepUnits(entry.run, total));
      case kProbe:
        if (doubtful) return StartDoubt(entry);
        if (entry.run < kLastRun) ++entry.run;
        return StartRun(entry, total);
      default:
        if (!doubtful) {
          if (entry.tolerance < kMaxTolerance) ++entry.tolerance;
          return StartRun(entry, total);
        }
        if (entry.steps <= 1) return Hold(entry, now);
        --entry.steps;
        return Enter(entry, kDoubt, kDoubtUnits);
    }
  }

  template <typename Books>
  void StartTrial(Entry& entry, std::uint32_t now, Books& books) {
    LiveCount alive = {0, 0};
    if (entry.cut_callsite != 0) alive = books.LiveOf(entry.cut_callsite);
    entry.floor = Objects(alive);
    entry.run = 0;
    entry.trial_since = static_cast<std::uint16_t>(now);
    StartWindow(entry, now);
    StartRun(entry, books.LiveBytes());
  }

  void StartRun(Entry& entry, std::int64_t total) {
    entry.steps = kRuns[entry.run].steps;
    Enter(entry, kCut, StepUnits(entry.run, total));
  }

  void StartDoubt(Entry& entry) {
    entry.steps = kDoubtSteps;
    Enter(entry, kDoubt, kDoubtUnits);
  }

  std::int32_t StepUnits(std::uint8_t run, std::int64_t total) const {
    // At least 1: a handler that jumped out may have spoilt the count.
    const std::int64_t keys = cutting_ > 0 ? cutting_ : 1;
    std::int64_t units = total / 32 / keys;
    if (units < kMinStepUnits) units = kMinStepUnits;
    const std::int64_t most = kRuns[run].step_units;
    return static_cast<std::int32_t>(units < most ? units : most);
  }

  // Remembers what is alive of a key without stacks, and so of all keys here.
  void Note(Entry& entry, std::int64_t bytes) {
    std::uint16_t& noted = unnamed_of_[&entry - entries_];
    std::int64_t parts = (bytes + kNotedBytes - 1) / kNotedBytes;
    if (parts < 0) parts = 0;
    if (parts > 0xffff) parts = 0xffff;
    unnamed_bytes_ += (parts - noted) * kNotedBytes;
    noted = static_cast<std::uint16_t>(parts);
  }

  bool TooMuchUnnamed(std::int64_t total) const {
    const std::int64_t share = total / 64;
    return unnamed_bytes_ >
           (share > kMinUnnamedBytes ? share : kMinUnnamedBytes);
  }

  bool IsDoubtful(const Entry& entry, const LiveCount& alive,
                  std::int64_t total, std::uint8_t tolerance) const {
    std::int64_t bytes = total / 1024;
    if (bytes > kMaxDoubtBytes) bytes = kMaxDoubtBytes;
    if (bytes < kMinDoubtBytes) bytes = kMinDoubtBytes;
    if (TooMuchUnnamed(total)) bytes = kScarceDoubtBytes;
    // Half the floor: what other threads have in use of this key comes and
    // goes.
    const std::int64_t objects =
        entry.floor + entry.floor / 2 + (kDoubtObjects << tolerance);
    return alive.bytes >= bytes || alive.objects >= objects;
  }

  enum class Finding { kNothing, kHolds, kCold };

  static Finding Look(Entry& entry, const LiveCount& alive, std::uint32_t now) {
    const std::uint16_t objects = Objects(alive);
    if (objects < entry.least) entry.least = objects;
    if (entry.looks < kWindowLooks) ++entry.looks;
    const std::uint16_t elapsed = Elapsed(now, entry.since);
    if (entry.looks < kWindowLooks || elapsed < kWindowSeconds) {
      return Finding::kNothing;
    }
    if (entry.least >= entry.floor + entry.floor / 16 + kLeakObjects) {
      return Finding::kHolds;
    }
    if (elapsed > kColdWindowSeconds) return Finding::kCold;
    // The first window takes the floor as it finds it: blocks in use by now.
    if (entry.least < entry.floor || entry.since == entry.trial_since) {
      entry.floor = entry.least;
    }
    if (entry.holds > 0 &&
        Elapsed(now, entry.trial_since) >= kForgivingSeconds) {
      --entry.holds;
    }
    if (entry.tolerance > 0) --entry.tolerance;
    StartWindow(entry, now);
    return Finding::kNothing;
  }

  static void StartWindow(Entry& entry, std::uint32_t now) {
    entry.since = static_cast<std::uint16_t>(now);
    entry.looks = 0;
    entry.least = 0xffff;
  }

  void Hold(Entry& entry, std::uint32_t now) {
    std::uint32_t seconds = std::uint32_t{Elapsed(now, entry.trial_since)}
                            << (2 + entry.holds);
    if (seconds > kMaxHoldSeconds) seconds = kMaxHoldSeconds;
    Enter(entry, kHold, kHoldUnits << entry.holds);
    entry.since = static_cast<std::uint16_t>(now + seconds);
    if (entry.holds < kMaxHolds) ++entry.holds;
  }

  static std::uint16_t Objects(const LiveCount& alive) {
    if (alive.objects < 0) return 0;
    return alive.objects > 0xffff ? 0xffff
                                  : static_cast<std::uint16_t>(alive.objects);
  }

  alignas(64) Entry entries_[kEntries] = {};
  std::uint16_t unnamed_of_[kEntries] = {};  // in kNotedBytes
  std::int64_t unnamed_bytes_ = 0;           // their sum
  std::int32_t cutting_ = 0;                 // keys that are being cut
  std::uint64_t cut_ = 0;
};

}  // namespace heapledger::preload
