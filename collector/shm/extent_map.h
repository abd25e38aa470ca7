// SPDX-License-Identifier: Apache-2.0
// Which pages of a ledger hold which records: the extent directory, checked.
//
// The writer takes extents back when two threads grew one table at once, and
// uses their pages again, so the map is made anew for each look.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "heapledger/ledger/layout.h"

namespace heapledger::collector {

// One extent as copied.
struct ExtentView {
  ledger::ExtentKind kind = ledger::ExtentKind::kNone;
  std::uint32_t owner = 0;  // shard of counters or scopes
  std::uint32_t chunk = 0;
  std::uint32_t page = 0;
  std::uint32_t pages = 0;
  std::uint32_t index = 0;  // place in the directory

  friend bool operator==(const ExtentView&, const ExtentView&) = default;
};

// Invariants: every extent is of a known kind, of that kind's size, inside the
// file, and no two share a page. Two may claim the same chunk: one of them is
// all zeros then, as its writer lost a race and was killed before it took the
// extent back.
class ExtentMap {
 public:
  // `directory` holds whole extents, as words.
  static ExtentMap Parse(std::span<const std::uint64_t> directory,
                         std::uint32_t file_pages);

  [[nodiscard]] std::span<const ExtentView> all() const { return extents_; }
  // Extents of one table, ordered by owner and chunk.
  [[nodiscard]] std::vector<ExtentView> OfKind(ledger::ExtentKind kind) const;
  // Usually one; two after a lost race.
  [[nodiscard]] std::span<const ExtentView> Find(ledger::ExtentKind kind,
                                                 std::uint32_t chunk) const;
  [[nodiscard]] bool Contains(const ExtentView& extent) const;
  [[nodiscard]] std::uint64_t pages() const { return pages_; }
  // Extents that share a page or a chunk with another. A retraction explains
  // that for a moment; what stays is damage.
  [[nodiscard]] std::uint64_t conflicts() const { return conflicts_; }
  [[nodiscard]] std::uint64_t invalid() const { return invalid_; }

 private:
  std::vector<ExtentView> extents_;  // ordered by kind, owner, chunk
  std::uint64_t pages_ = 0;
  std::uint64_t conflicts_ = 0;
  std::uint64_t invalid_ = 0;
};

}  // namespace heapledger::collector
