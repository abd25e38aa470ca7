// SPDX-License-Identifier: Apache-2.0
// Memory for the calls that arrive before the real allocator is known: dlsym
// itself may allocate. Handed out once, never reused; a free of it is nothing,
// for ever.
//
// Thread safety: any thread, no locks.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace heapledger::preload {

class BootstrapPool {
 public:
  // Own memory first, which needs no system call; then one large area that the
  // caller maps and hands over.
  static constexpr std::size_t kOwnBytes = 64 * 1024;
  static constexpr std::size_t kExtraBytes = 64UL << 20;

  // Zeroed memory, aligned to a power of two; null when what there is does not
  // do.
  void* Take(std::size_t bytes, std::size_t alignment) {
    if (void* const block =
            TakeFrom(own_, kOwnBytes, own_used_, bytes, alignment)) {
      return block;
    }
    std::byte* const extra = extra_.load(std::memory_order_acquire);
    if (extra == nullptr) return nullptr;
    return TakeFrom(extra, kExtraBytes, extra_used_, bytes, alignment);
  }

  // Hands over kExtraBytes of zeroed memory. False when there is some already.
  bool Extend(void* memory) {
    std::byte* none = nullptr;
    return extra_.compare_exchange_strong(none, static_cast<std::byte*>(memory),
                                          std::memory_order_acq_rel);
  }

  bool Holds(const void* block) const {
    const auto* const at = static_cast<const std::byte*>(block);
    if (at >= own_ && at < own_ + kOwnBytes) return true;
    const std::byte* const extra = extra_.load(std::memory_order_acquire);
    return extra != nullptr && at >= extra && at < extra + kExtraBytes;
  }

  // REQUIRES: Holds(block).
  std::size_t SizeOf(const void* block) const {
    return *reinterpret_cast<const std::size_t*>(
        static_cast<const std::byte*>(block) - kHeadBytes);
  }

  // Calls `visit(address)` once in every `step` bytes of the memory that blocks
  // were taken from, as long as it returns true. Returns whether it always did.
  template <typename Visit>
  bool ForEachRange(std::uint64_t step, Visit&& visit) const {
    if (!ever_used()) return true;
    const auto visit_all = [&](const std::byte* memory, std::uint64_t bytes) {
      const auto first = reinterpret_cast<std::uint64_t>(memory) / step;
      const auto last =
          (reinterpret_cast<std::uint64_t>(memory) + bytes - 1) / step;
      for (std::uint64_t range = first; range <= last; ++range) {
        if (!visit(range * step)) return false;
      }
      return true;
    };
    const std::byte* const extra = extra_.load(std::memory_order_acquire);
    return visit_all(own_, kOwnBytes) &&
           (extra == nullptr || visit_all(extra, kExtraBytes));
  }

  // Calls `visit(start, end)` for the memory that blocks were taken from: the
  // program's, though it lies among ours.
  template <typename Visit>
  void ForEachArea(Visit&& visit) const {
    const auto own = reinterpret_cast<std::uint64_t>(own_);
    visit(own, own + kOwnBytes);
    const std::byte* const extra = extra_.load(std::memory_order_acquire);
    if (extra == nullptr) return;
    const auto more = reinterpret_cast<std::uint64_t>(extra);
    visit(more, more + kExtraBytes);
  }

  // Whether any block was ever taken.
  bool ever_used() const {
    return own_used_.load(std::memory_order_relaxed) != 0 ||
           extra_.load(std::memory_order_relaxed) != nullptr;
  }

 private:
  static constexpr std::size_t kHeadBytes = 16;

  static void* TakeFrom(std::byte* memory, std::size_t capacity,
                        std::atomic<std::size_t>& used, std::size_t bytes,
                        std::size_t alignment) {
    if (alignment < kHeadBytes) alignment = kHeadBytes;
    if (bytes > capacity || alignment > capacity) return nullptr;
    std::size_t at = used.load(std::memory_order_relaxed);
    std::size_t block;
    do {
      block = (at + kHeadBytes + alignment - 1) & ~(alignment - 1);
      if (block + bytes > capacity) return nullptr;
    } while (!used.compare_exchange_weak(at, block + bytes,
                                         std::memory_order_relaxed));
    *reinterpret_cast<std::size_t*>(memory + block - kHeadBytes) = bytes;
    return memory + block;
  }

  // Page-aligned, so that an offset's alignment is the address'.
  alignas(4096) std::byte own_[kOwnBytes] = {};
  std::atomic<std::size_t> own_used_{0};
  std::atomic<std::byte*> extra_{nullptr};
  std::atomic<std::size_t> extra_used_{0};
};

}  // namespace heapledger::preload
