// SPDX-License-Identifier: Apache-2.0
// Growth of the ledger file: hands out runs of populated pages and publishes
// them to readers as extents.
//
// Thread safety: any thread, any time, signal handlers included; no locks.
//
// Invariants:
//  (1) No page is written before Populate() said that it is backed.
//  (2) What the target decides on is kept here in private memory; the shared
//      header only mirrors it. A ledger scribbled over by somebody else makes
//      wrong figures, never a wrong address.
//  (3) An extent is published before the first record in it can be written.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "heapledger/ledger/layout.h"
#include "preload/core/env.h"

namespace heapledger::preload {

template <MemoryEnv Env>
class LedgerFile {
 public:
  // REQUIRES: the pages before kFirstDataPage up to and including the first
  // page of the extent directory are populated.
  void Open(Env* env, std::byte* base, std::uint64_t cap_bytes) {
    env_ = env;
    base_ = base;
    cap_pages_ = static_cast<std::uint32_t>(cap_bytes / ledger::kPageBytes);
    next_page_.store(ledger::kFirstDataPage, std::memory_order_relaxed);
    header().next_page.store(ledger::kFirstDataPage, std::memory_order_relaxed);
    extent_pages_.store(1, std::memory_order_relaxed);
  }

  ledger::Header& header() const {
    return *reinterpret_cast<ledger::Header*>(base_);
  }
  ledger::ShardHeader& shard_header(std::uint32_t shard) const {
    return reinterpret_cast<ledger::ShardHeader*>(
        base_ + ledger::kShardPage * ledger::kPageBytes)[shard];
  }
  std::byte* base() const { return base_; }
  std::uint64_t cap_bytes() const {
    return std::uint64_t{cap_pages_} * ledger::kPageBytes;
  }

  // A grown extent, or null records when there is no room.
  struct Grown {
    std::byte* records = nullptr;
    ledger::Extent* extent = nullptr;
  };

  // Takes zeroed pages and publishes them as chunk `chunk` of a table.
  Grown Grow(ledger::ExtentKind kind, std::uint32_t owner, std::uint32_t chunk,
             std::uint32_t pages) {
    // Pages first: they are what is refused for a while, again and again, and
    // no refusal may use up an extent.
    const std::uint32_t page = TakePages(pages);
    if (page == 0) return {};
    ledger::Extent* const extent = TakeExtent();
    if (extent == nullptr) {
      if (pages < kSpareSizes) {
        spare_[pages].store(page, std::memory_order_relaxed);
      }
      return {};
    }
    extent->chunk = chunk;
    extent->page = page;
    extent->pages = pages;
    // Release: pairs with the acquire of a reader that walks the directory.
    extent->kind_owner.store(static_cast<std::uint32_t>(kind) | (owner << 8),
                             std::memory_order_release);
    return {base_ + std::size_t{page} * ledger::kPageBytes, extent};
  }

  // Undoes Grow() for an extent that lost a race and was never written to.
  void Retract(const Grown& grown) {
    grown.extent->kind_owner.store(0, std::memory_order_release);
    const std::uint32_t pages = grown.extent->pages;
    if (pages < kSpareSizes) {
      spare_[pages].store(grown.extent->page, std::memory_order_relaxed);
    }
  }

  void CountDegraded(ledger::Degraded reason, std::uint64_t times = 1) const {
    header().degraded[static_cast<std::uint32_t>(reason)].fetch_add(
        times, std::memory_order_relaxed);
  }

 private:
  static constexpr std::uint32_t kSpareSizes = 8;
  static constexpr std::uint32_t kExtentsPerPage =
      ledger::kPageBytes / sizeof(ledger::Extent);
  // After a refusal only every so many calls ask the kernel again.
  static constexpr std::uint32_t kRetryEvery = 1024;

  ledger::Extent* TakeExtent() {
    std::uint32_t index = extent_count_.load(std::memory_order_relaxed);
    do {
      if (index >= ledger::kExtentCapacity) return nullptr;
      const std::uint32_t page = index / kExtentsPerPage;
      if (page >= extent_pages_.load(std::memory_order_relaxed)) {
        // Populating twice is harmless, so racing threads need no agreement.
        if (!env_->Populate(ledger::kExtentPage + page, 1)) return nullptr;
        extent_pages_.store(page + 1, std::memory_order_relaxed);
      }
    } while (!extent_count_.compare_exchange_weak(index, index + 1,
                                                  std::memory_order_relaxed));
    // Readers touch the pages of every extent below the count, published or
    // not: it never runs ahead of what is populated.
    header().extent_count.fetch_add(1, std::memory_order_relaxed);
    return reinterpret_cast<ledger::Extent*>(base_ + ledger::kExtentPage *
                                                         ledger::kPageBytes) +
           index;
  }

  std::uint32_t TakePages(std::uint32_t pages) {
    if (pages < kSpareSizes) {
      const std::uint32_t spare =
          spare_[pages].exchange(0, std::memory_order_relaxed);
      if (spare != 0) return spare;
    }
    if (refusals_.load(std::memory_order_relaxed) != 0 &&
        refusals_.fetch_add(1, std::memory_order_relaxed) % kRetryEvery != 0) {
      return 0;
    }
    std::uint32_t page = next_page_.load(std::memory_order_relaxed);
    do {
      if (page + pages > cap_pages_) return Refuse();
    } while (!next_page_.compare_exchange_weak(page, page + pages,
                                               std::memory_order_relaxed));
    if (!env_->Populate(page, pages)) {
      // Given back, unless somebody took the next ones meanwhile.
      std::uint32_t end = page + pages;
      (void)next_page_.compare_exchange_strong(end, page,
                                               std::memory_order_relaxed);
      return Refuse();
    }
    refusals_.store(0, std::memory_order_relaxed);
    header().next_page.fetch_add(pages, std::memory_order_relaxed);
    return page;
  }

  std::uint32_t Refuse() {
    refusals_.fetch_add(1, std::memory_order_relaxed);
    return 0;
  }

  Env* env_ = nullptr;
  std::byte* base_ = nullptr;
  std::uint32_t cap_pages_ = 0;
  std::atomic<std::uint32_t> next_page_{0};
  std::atomic<std::uint32_t> extent_count_{0};
  std::atomic<std::uint32_t> extent_pages_{0};
  std::atomic<std::uint32_t> refusals_{0};
  std::atomic<std::uint32_t> spare_[kSpareSizes] = {};
};

}  // namespace heapledger::preload
