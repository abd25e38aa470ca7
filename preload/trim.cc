// SPDX-License-Identifier: Apache-2.0
#include "preload/trim.h"

#include <errno.h>

#include "preload/core/trim_pace.h"
#include "preload/heap_allocator.h"
#include "preload/lifecycle.h"
#include "preload/proc_facts.h"
#include "preload/raw_io.h"
#include "preload/recorder.h"
#include "preload/seal.h"

namespace heapledger::preload {
namespace {

using ledger::TrimResult;

constinit TrimPace g_pace;

struct Figures {
  std::uint64_t resident;
  AllocatorFigures allocator;
};

Figures Read(ledger::Allocator allocator) {
  return {AnonymousResidentBytes(), ReadFigures(allocator)};
}

// Whether some frame of the calling thread was interrupted by a signal: the
// frames below a handler are told by exact pcs. A stack that cannot be followed
// that far counts as one without.
[[gnu::noinline]] bool IsInSignalHandler() {
  // Kept small: this is the target's stack.
  constexpr std::uint32_t kFrames = 128;
  std::uint64_t frames[kFrames];
  const unwind::WalkResult walk =
      unwind::Walk(g_process->env, HEAPLEDGER_CALLER(), {}, frames, kFrames);
  for (std::uint32_t i = 0; i < walk.depth; ++i) {
    if ((frames[i] & unwind::kExactPcBit) != 0) return true;
  }
  return false;
}

void Refuse(ledger::TrimRecord& record, TrimResult why) {
  record.last_refusal.store(static_cast<std::uint32_t>(why),
                            std::memory_order_relaxed);
  record.refused.fetch_add(1, std::memory_order_release);
}

// One at a time, by g_pace.
void Publish(ledger::TrimRecord& record, const Figures& before,
             const Figures& after, TrimResult result, ledger::TrimAsker asker,
             std::uint64_t duration_ns) {
  const auto set = [](auto& field, auto value) {
    field.store(value, std::memory_order_relaxed);
  };
  const std::uint64_t number = record.begun.load(std::memory_order_relaxed) + 1;
  set(record.begun, number);
  std::atomic_thread_fence(std::memory_order_release);
  set(record.result, static_cast<std::uint32_t>(result));
  set(record.asked_by, static_cast<std::uint32_t>(asker));
  set(record.realtime_ns, raw::RealtimeNs());
  set(record.duration_ns, duration_ns);
  set(record.resident_before, before.resident);
  set(record.resident_after, after.resident);
  set(record.held_before, before.allocator.held);
  set(record.held_after, after.allocator.held);
  set(record.free_before, before.allocator.free);
  set(record.free_after, after.allocator.free);
  record.ended.store(number, std::memory_order_release);
}

}  // namespace

[[gnu::cold, gnu::noinline]] void ServeTrim(ledger::TrimAsker asker) {
  ledger::Header& header = g_books->file().header();
  if (HasSealedItself()) return Refuse(header.trim, TrimResult::kSealed);
  if (IsInSignalHandler()) {
    return Refuse(header.trim, TrimResult::kInHandler);
  }
  const std::uint64_t begin = raw::PreciseNs();
  if (!g_pace.TryBegin(begin)) {
    return Refuse(header.trim, TrimResult::kTooSoon);
  }
  const int saved_errno = errno;
  const auto allocator = static_cast<ledger::Allocator>(
      header.allocator.load(std::memory_order_relaxed));
  const Figures before = Read(allocator);
  const TrimResult result = TrimAllocator(allocator);
  const Figures after = Read(allocator);
  const std::uint64_t now = raw::PreciseNs();
  Publish(header.trim, before, after, result, asker, now - begin);
  g_pace.End(begin, now);
  errno = saved_errno;
}

void ForgetTrim() { g_pace.Reset(); }

}  // namespace heapledger::preload
