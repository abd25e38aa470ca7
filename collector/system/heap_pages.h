// SPDX-License-Identifier: Apache-2.0
// What a heap's resident pages are for: those in which a live block lies, and
// those that a perfect trim would return. From the live blocks and the pages
// that are in memory, both by address.
//
//   returnable   pages of malloc's areas in which no live block lies
//   live pages   the others; of them, live bytes is what the program asked for,
//                and the rest malloc's own words, rounding, and free chunks
//                that a live neighbour pins to memory: fragmentation
//
// Pure: a reader of /proc feeds it, or a test.
//
// Thread safety: one thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace heapledger::collector {

// Upper ends of classes of block sizes, in bytes; the last has none.
inline constexpr std::array<std::uint64_t, 5> kSizeClassEnds = {64, 256, 1024,
                                                                4096, 32768};

struct SizeClassPages {
  std::uint64_t blocks = 0;
  std::uint64_t live_bytes = 0;  // asked for
  // Of the pages whose first live block is of this class: what is not live.
  std::uint64_t pinned_bytes = 0;

  friend bool operator==(const SizeClassPages&,
                         const SizeClassPages&) = default;
};

// In bytes, of pages in memory.
struct HeapPages {
  std::uint64_t returnable = 0;
  std::uint64_t live_pages = 0;  // within malloc's areas and beside them
  std::uint64_t live_bytes = 0;  // the part of live_pages that was asked for
  std::uint64_t swapped = 0;     // in malloc's areas, not in memory: in no sum
  std::uint64_t blocks = 0;
  std::array<SizeClassPages, kSizeClassEnds.size() + 1> classes;
  // By the callsite id of a page's first live block: what is not live of those
  // pages that are less than a quarter live. The pages that few blocks pin.
  std::unordered_map<std::uint32_t, std::uint64_t> pinned_by;

  [[nodiscard]] std::uint64_t fragmentation() const {
    return live_pages - live_bytes;
  }
};

class HeapPageCounter {
 public:
  static constexpr std::uint64_t kPage = 4096;

  enum class State : std::uint8_t { kAbsent, kResident, kSwapped };

  // Begins a stretch of memory; pages[i] is that of start + i * kPage.
  // Stretches come by address and do not overlap. Outside of malloc's areas
  // only pages with live blocks count.
  void BeginStretch(std::uint64_t start, std::vector<State> pages,
                    bool of_malloc);
  // A live block that begins in the stretch; by address. It may reach beyond
  // it, into the next ones.
  void Block(std::uint64_t address, std::uint64_t bytes,
             std::uint32_t callsite_id);
  // After the last block of the last stretch.
  [[nodiscard]] const HeapPages& Finish();

 private:
  void EndStretch();
  // Has [from, to) count as live in the stretch's pages.
  void Cover(std::uint64_t from, std::uint64_t to, std::size_t size_class,
             std::uint32_t callsite_id);
  void ClosePage();

  HeapPages result_;
  std::uint64_t start_ = 0;
  std::vector<State> pages_;
  bool of_malloc_ = false;
  // What the last block that reached beyond its stretch covers.
  std::uint64_t carried_until_ = 0;
  std::size_t carried_class_ = 0;
  std::uint32_t carried_callsite_ = 0;
  // The page that blocks come to lie on now.
  bool open_ = false;
  std::uint64_t page_ = 0;  // index into pages_
  std::uint64_t page_live_ = 0;
  std::size_t page_class_ = 0;
  std::uint32_t page_callsite_ = 0;
  std::uint64_t next_page_ = 0;  // the first that was not closed yet
};

}  // namespace heapledger::collector
