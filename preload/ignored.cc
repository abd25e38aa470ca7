// SPDX-License-Identifier: Apache-2.0
#include "preload/ignored.h"

#include "preload/raw_io.h"

namespace heapledger::preload {

constinit thread_local std::uint32_t t_ignoring = 0;

namespace {

constexpr std::uint64_t kGranuleBytes = 1ULL << ObjectMap::kGranuleShift;

constinit std::atomic<bool> g_ever_ignoring{false};
constinit std::atomic<IgnoredBlock*> g_blocks{nullptr};
constinit std::atomic<std::uint32_t> g_count{0};

IgnoredBlock* Blocks() {
  IgnoredBlock* blocks = g_blocks.load(std::memory_order_acquire);
  if (blocks != nullptr) return blocks;
  constexpr std::size_t kBytes = kMostIgnored * sizeof(IgnoredBlock);
  auto* const fresh = static_cast<IgnoredBlock*>(raw::MapPrivate(kBytes));
  if (fresh == nullptr) return nullptr;
  if (g_blocks.compare_exchange_strong(blocks, fresh,
                                       std::memory_order_acq_rel)) {
    return fresh;
  }
  raw::Unmap(fresh, kBytes);
  return blocks;
}

// What the thread remembers of stacks is of the other kind of callsite.
void ForgetCallsites() {
  if (t_state <= kThreadGone) return;
  t_state->CallAttention();
}

}  // namespace

bool EverIgnoring() { return g_ever_ignoring.load(std::memory_order_acquire); }

void BeginIgnoring() {
  g_ever_ignoring.store(true, std::memory_order_release);
  ++t_ignoring;
  ForgetCallsites();
}

void EndIgnoring() {
  if (t_ignoring != 0) --t_ignoring;
  ForgetCallsites();
}

void IgnoreBlock(const void* address) {
  if (address == nullptr || CurrentGate() < Gate::kAdaptive) return;
  // The block itself, as its start is what is named.
  const std::uint64_t block =
      reinterpret_cast<std::uint64_t>(address) / kGranuleBytes * kGranuleBytes;
  const ObjectMap::Slot* const slot = g_books->objects().Find(block);
  const std::uint32_t word =
      slot == nullptr ? 0 : slot->load(std::memory_order_relaxed);
  IgnoredBlock* const blocks = word == 0 ? nullptr : Blocks();
  if (blocks == nullptr) return;
  const std::uint32_t at = g_count.fetch_add(1, std::memory_order_acq_rel);
  if (at >= kMostIgnored) {
    g_count.store(kMostIgnored, std::memory_order_release);
    return;
  }
  blocks[at].slot_word.store(word, std::memory_order_relaxed);
  blocks[at].block.store(block, std::memory_order_release);
}

std::uint32_t IgnoredBlocks(const IgnoredBlock** blocks) {
  *blocks = g_blocks.load(std::memory_order_acquire);
  if (*blocks == nullptr) return 0;
  const std::uint32_t count = g_count.load(std::memory_order_acquire);
  return count < kMostIgnored ? count : kMostIgnored;
}

}  // namespace heapledger::preload
