// SPDX-License-Identifier: Apache-2.0
#include "collector/system/heap_pages.h"

#include <algorithm>
#include <utility>

namespace heapledger::collector {
namespace {

std::size_t ClassOf(std::uint64_t bytes) {
  return static_cast<std::size_t>(
      std::ranges::lower_bound(kSizeClassEnds, bytes) - kSizeClassEnds.begin());
}

}  // namespace

void HeapPageCounter::BeginStretch(std::uint64_t start,
                                   std::vector<State> pages, bool of_malloc) {
  EndStretch();
  start_ = start;
  pages_ = std::move(pages);
  of_malloc_ = of_malloc;
  next_page_ = 0;
  if (carried_until_ > start_) {
    Cover(start_, carried_until_, carried_class_, carried_callsite_);
  }
}

void HeapPageCounter::Block(std::uint64_t address, std::uint64_t bytes,
                            std::uint32_t callsite_id) {
  const std::size_t size_class = ClassOf(bytes);
  ++result_.blocks;
  ++result_.classes[size_class].blocks;
  result_.classes[size_class].live_bytes += bytes;
  // A block of no bytes has its page nevertheless.
  const std::uint64_t end = address + std::max<std::uint64_t>(bytes, 1);
  if (end > carried_until_) {
    carried_until_ = end;
    carried_class_ = size_class;
    carried_callsite_ = callsite_id;
  }
  Cover(address, end, size_class, callsite_id);
}

void HeapPageCounter::Cover(std::uint64_t from, std::uint64_t to,
                            std::size_t size_class, std::uint32_t callsite_id) {
  const std::uint64_t end = start_ + pages_.size() * kPage;
  to = std::min(to, end);
  while (from < to) {
    const std::uint64_t page = (from - start_) / kPage;
    const std::uint64_t page_end = start_ + (page + 1) * kPage;
    const std::uint64_t part = std::min(to, page_end) - from;
    if (!open_ || page != page_) {
      ClosePage();
      // A block that was allocated while others were read may lie before them.
      if (page < next_page_) {
        from += part;
        continue;
      }
      open_ = true;
      page_ = page;
      page_live_ = 0;
      page_class_ = size_class;
      page_callsite_ = callsite_id;
    }
    page_live_ += part;
    from += part;
  }
}

void HeapPageCounter::ClosePage() {
  if (!open_) return;
  open_ = false;
  // Pages without a block, up to this one.
  for (; next_page_ < page_; ++next_page_) {
    const State state = pages_[next_page_];
    if (!of_malloc_) continue;
    if (state == State::kResident) result_.returnable += kPage;
    if (state == State::kSwapped) result_.swapped += kPage;
  }
  next_page_ = page_ + 1;
  if (pages_[page_] == State::kSwapped && of_malloc_) result_.swapped += kPage;
  if (pages_[page_] != State::kResident) return;
  const std::uint64_t live = std::min(page_live_, kPage);
  result_.live_pages += kPage;
  result_.live_bytes += live;
  result_.classes[page_class_].pinned_bytes += kPage - live;
  if (live < kPage / 4) result_.pinned_by[page_callsite_] += kPage - live;
}

void HeapPageCounter::EndStretch() {
  ClosePage();
  for (; next_page_ < pages_.size() && of_malloc_; ++next_page_) {
    if (pages_[next_page_] == State::kResident) result_.returnable += kPage;
    if (pages_[next_page_] == State::kSwapped) result_.swapped += kPage;
  }
  pages_.clear();
}

const HeapPages& HeapPageCounter::Finish() {
  EndStretch();
  return result_;
}

}  // namespace heapledger::collector
