// SPDX-License-Identifier: Apache-2.0
// The target's own memory as a scan reads it: blocks in place, where they lie
// in anonymous memory that can be read; everything else through the kernel, so
// that a file that was cut short, a device or a guard is a refusal, not a
// fault. Pages that were never touched are not touched either.
//
// In a process of our own that shares the target's memory, mappings may change
// while they are read (guarded_copy.h).
//
// Thread safety: one user.
#pragma once

#include <cstddef>
#include <cstdint>

#include "heapledger/ledger/reasons.h"
#include "preload/guarded_copy.h"
#include "preload/raw_io.h"
#include "preload/scan/mapping.h"

namespace heapledger::preload {

class ScanMemory {
 public:
  // vm.max_map_count is 65530 unless somebody raised it.
  static constexpr std::uint32_t kMaxMappings = 1U << 16;

  // Reads the list of mappings; once more after Close(), too. REQUIRES: zeroed
  // members; Close() follows.
  ledger::ScanReason Open(std::uint64_t deadline_ns);
  void Close();
  // From now on the time is also up when the memory is no longer that of
  // process `pid`: it ended, or runs another program.
  void FollowOwner(std::int32_t pid) { owner_pid_ = pid; }
  // More time, or less.
  void Extend(std::uint64_t deadline_ns) {
    deadline_ns_ = deadline_ns;
    late_ = false;
  }
  [[nodiscard]] bool owner_is_gone() const { return owner_is_gone_; }

  // scan::ScanMemory
  bool Load(std::uint64_t address, std::uint64_t* word) {
    const scan::Mapping* const mapping = InPlace(address);
    if (mapping == nullptr || mapping->end - address < 8) return false;
    return CopyWords(word, address, 1);
  }
  template <typename Visit>
  void ForEachWord(std::uint64_t begin, std::uint64_t end, Visit&& visit);
  [[nodiscard]] bool TimeIsUp();

  // As ForEachWord, through the kernel and of any mapping: calls
  // `visit(address, words, count)` for runs of words that could be read.
  // Returns the bytes read.
  template <typename Visit>
  std::uint64_t ForEachRun(const scan::Mapping& mapping, std::uint64_t begin,
                           std::uint64_t end, Visit&& visit);

  // Copies memory; false where some of it cannot be read.
  bool Copy(std::uint64_t from, void* to, std::size_t bytes);

  // The mapping around an address; null where there is none.
  [[nodiscard]] const scan::Mapping* Find(std::uint64_t address);

  [[nodiscard]] const scan::Mapping* begin() const { return mappings_; }
  [[nodiscard]] const scan::Mapping* end() const { return mappings_ + count_; }

  // Whether the kernel tells pages that were written to from others.
  [[nodiscard]] bool knows_pages() const { return page_file_ >= 0; }
  // Whether the kernel refused to copy what it lists as readable.
  [[nodiscard]] bool refused() const { return refused_; }

 private:
  static constexpr std::size_t kRunBytes = 64 << 10;
  static constexpr std::uint64_t kPage = 4096;
  static constexpr std::size_t kPagesPerLook = 512;
  static constexpr std::size_t kWordsPerCopy = 64;
  static constexpr std::uint64_t kOwnerLookNs = 10'000'000;
  // Below that the kernel is not asked which pages there are.
  static constexpr std::uint64_t kSmallBytes = 256 << 10;

  // The mapping of an address that may be read in place.
  const scan::Mapping* InPlace(std::uint64_t address) {
    const scan::Mapping* const mapping = Find(address);
    return mapping != nullptr && mapping->readable && mapping->anonymous()
               ? mapping
               : nullptr;
  }

  // Calls `visit(word)` for the words of [low, high), read in place; pages that
  // vanished are passed over.
  template <typename Visit>
  static void ForEachCopied(std::uint64_t low, std::uint64_t high,
                            Visit&& visit);
  // Calls `visit(begin, end)` for the parts of private memory that may hold
  // something of the program's: pages that it wrote to.
  template <typename Visit>
  void ForEachTouched(const scan::Mapping& mapping, std::uint64_t begin,
                      std::uint64_t end, Visit&& visit);
  // Which of the pages from `begin` on were written to, by the kernel's words
  // for them; false where it does not say.
  bool LookAtPages(std::uint64_t begin, std::size_t pages);
  [[nodiscard]] bool IsTouched(std::size_t page) const;
  // Bytes of `from` that the kernel copied to the buffer; 0 for a page that
  // cannot be read.
  std::size_t CopyRun(const scan::Mapping& mapping, std::uint64_t from,
                      std::size_t bytes);

  scan::Mapping mappings_[kMaxMappings];
  std::uint32_t count_ = 0;
  std::uint32_t last_found_ = 0;
  bool overflowed_ = false;
  bool refused_ = false;
  bool copy_works_ = false;
  bool late_ = false;
  bool owner_is_gone_ = false;
  std::int32_t owner_pid_ = 0;
  std::uint64_t owner_looked_ns_ = 0;
  std::uint64_t deadline_ns_ = 0;
  int page_file_ = 0;
  std::uint64_t page_words_[kPagesPerLook];
  std::uint64_t run_[kRunBytes / 8];
  char text_[kRunBytes];
};

template <typename Visit>
void ScanMemory::ForEachTouched(const scan::Mapping& mapping,
                                std::uint64_t begin, std::uint64_t end,
                                Visit&& visit) {
  using Kind = scan::Mapping::Kind;
  const bool all = mapping.shared || mapping.kind == Kind::kMemoryFile;
  if (all || (mapping.anonymous() && end - begin < kSmallBytes)) {
    return visit(begin, end);
  }
  for (std::uint64_t at = begin; at < end;) {
    const std::uint64_t first = at / kPage * kPage;
    std::uint64_t limit = first + kPagesPerLook * kPage;
    if (limit > end) limit = end;
    const auto pages =
        static_cast<std::size_t>((limit - first + kPage - 1) / kPage);
    if (TimeIsUp()) return;
    if (!LookAtPages(first, pages)) {
      visit(at, limit);
      at = limit;
      continue;
    }
    for (std::size_t page = 0; page < pages;) {
      if (!IsTouched(page)) {
        ++page;
        continue;
      }
      const std::size_t from = page;
      while (page < pages && IsTouched(page)) ++page;
      const std::uint64_t low = first + from * kPage;
      const std::uint64_t high = first + page * kPage;
      visit(low < at ? at : low, high > limit ? limit : high);
    }
    at = limit;
  }
}

template <typename Visit>
void ScanMemory::ForEachCopied(std::uint64_t low, std::uint64_t high,
                               Visit&& visit) {
  std::uint64_t words[kWordsPerCopy];
  while (low < high) {
    // No copy spans pages, as one of them may be gone.
    const std::uint64_t in_page = (kPage - low % kPage) / 8;
    std::uint64_t count = (high - low) / 8;
    if (count > in_page) count = in_page;
    if (count > kWordsPerCopy) count = kWordsPerCopy;
    if (CopyWords(words, low, count)) {
      for (std::uint64_t i = 0; i < count; ++i) visit(words[i]);
      low += count * 8;
    } else {
      low = (low / kPage + 1) * kPage;
    }
  }
}

template <typename Visit>
void ScanMemory::ForEachWord(std::uint64_t begin, std::uint64_t end,
                             Visit&& visit) {
  begin = (begin + 7) & ~std::uint64_t{7};
  end &= ~std::uint64_t{7};
  while (begin < end) {
    const scan::Mapping* const mapping = Find(begin);
    if (mapping == nullptr) return;
    const std::uint64_t limit = mapping->end < end ? mapping->end : end;
    if (mapping->readable && mapping->anonymous()) {
      ForEachTouched(*mapping, begin, limit,
                     [&](std::uint64_t low, std::uint64_t high) {
                       ForEachCopied(low, high, visit);
                     });
    } else if (mapping->readable) {
      ForEachRun(
          *mapping, begin, limit,
          [&](std::uint64_t, const std::uint64_t* words, std::size_t count) {
            for (std::size_t i = 0; i < count; ++i) visit(words[i]);
          });
    }
    begin = limit;
  }
}

template <typename Visit>
std::uint64_t ScanMemory::ForEachRun(const scan::Mapping& mapping,
                                     std::uint64_t begin, std::uint64_t end,
                                     Visit&& visit) {
  std::uint64_t total = 0;
  begin = (begin + 7) & ~std::uint64_t{7};
  end &= ~std::uint64_t{7};
  ForEachTouched(
      mapping, begin, end, [&](std::uint64_t low, std::uint64_t high) {
        while (low < high && !TimeIsUp()) {
          const std::uint64_t left = high - low;
          const std::size_t wanted =
              left < kRunBytes ? static_cast<std::size_t>(left) : kRunBytes;
          const std::size_t got = CopyRun(mapping, low, wanted);
          if (got == 0) {
            low = (low / kPage + 1) * kPage;
            continue;
          }
          visit(low, run_, got / 8);
          total += got;
          low += got;
        }
      });
  return total;
}

}  // namespace heapledger::preload
