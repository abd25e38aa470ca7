// SPDX-License-Identifier: Apache-2.0
#include "collector/shm/extent_map.h"

#include <algorithm>
#include <tuple>

#include "heapledger/ledger/python_record.h"

namespace heapledger::collector {
namespace {

using ledger::ExtentKind;

template <typename Record>
constexpr std::uint32_t kPagesOf = ledger::Chunking<Record>::kPages;

// 0 for a kind that this build does not know: skipped, as a later shim of the
// same ABI may add tables.
std::uint32_t PagesOf(ExtentKind kind) {
  switch (kind) {
    case ExtentKind::kModules:
      return kPagesOf<ledger::ModuleRecord>;
    case ExtentKind::kFrames:
      return kPagesOf<ledger::FrameRecord>;
    case ExtentKind::kNodes:
      return kPagesOf<ledger::StackNode>;
    case ExtentKind::kCallsites:
      return kPagesOf<ledger::CallsiteRecord>;
    case ExtentKind::kCounters:
      return kPagesOf<ledger::CounterCell>;
    case ExtentKind::kLeaks:
      return kPagesOf<ledger::LeakCell>;
    case ExtentKind::kLiveLeaks:
      return kPagesOf<ledger::LiveLeakCell>;
    case ExtentKind::kCodes:
      return kPagesOf<ledger::CodeRecord>;
    case ExtentKind::kTags:
      return kPagesOf<ledger::TagRecord>;
    case ExtentKind::kScopes:
      return kPagesOf<ledger::ScopeCell>;
    case ExtentKind::kPython:
      return kPagesOf<ledger::PythonRecord>;
    case ExtentKind::kNone:
      break;
  }
  return 0;
}

auto Place(const ExtentView& extent) {
  return std::tuple(extent.kind, extent.owner, extent.chunk);
}

// An extent is two words: kind_owner and chunk, page and pages.
ExtentView Decode(std::uint64_t first, std::uint64_t second,
                  std::size_t index) {
  const auto kind_owner = static_cast<std::uint32_t>(first);
  ExtentView extent;
  extent.kind = static_cast<ExtentKind>(kind_owner & 0xff);
  extent.owner = kind_owner >> 8;
  extent.chunk = static_cast<std::uint32_t>(first >> 32);
  extent.page = static_cast<std::uint32_t>(second);
  extent.pages = static_cast<std::uint32_t>(second >> 32);
  extent.index = static_cast<std::uint32_t>(index);
  return extent;
}

// Each chunk takes an extent, so there are no more chunks than extents.
bool Sound(const ExtentView& extent, std::uint32_t file_pages) {
  const bool of_shard = extent.kind == ExtentKind::kCounters ||
                        extent.kind == ExtentKind::kScopes;
  const std::uint32_t owners = of_shard ? ledger::kShardCount : 1;
  return extent.pages == PagesOf(extent.kind) && extent.owner < owners &&
         extent.chunk < ledger::kExtentCapacity &&
         extent.page >= ledger::kFirstDataPage && extent.page < file_pages &&
         extent.pages <= file_pages - extent.page;
}

// Marks the extent's pages; false, and nothing marked, if one is taken.
bool Claim(const ExtentView& extent, std::vector<bool>& taken) {
  const auto begin = taken.begin() + extent.page;
  const auto end = begin + extent.pages;
  if (std::find(begin, end, true) != end) return false;
  std::fill(begin, end, true);
  return true;
}

// The ordered extents whose key equals this one. (Not ranges::equal_range: its
// result does not compile with clang 14 and libstdc++ 12.)
template <typename Key, typename Projection>
std::span<const ExtentView> Range(std::span<const ExtentView> extents,
                                  const Key& key, Projection projection) {
  const auto begin =
      std::ranges::lower_bound(extents, key, {}, projection) - extents.begin();
  const auto end =
      std::ranges::upper_bound(extents, key, {}, projection) - extents.begin();
  return extents.subspan(static_cast<std::size_t>(begin),
                         static_cast<std::size_t>(end - begin));
}

}  // namespace

ExtentMap ExtentMap::Parse(std::span<const std::uint64_t> directory,
                           std::uint32_t file_pages) {
  ExtentMap map;
  std::vector<bool> taken(file_pages);
  for (std::size_t i = 0; i + 1 < directory.size(); i += 2) {
    const ExtentView extent = Decode(directory[i], directory[i + 1], i / 2);
    if (PagesOf(extent.kind) == 0) continue;
    if (!Sound(extent, file_pages)) {
      ++map.invalid_;
    } else if (!Claim(extent, taken)) {
      ++map.conflicts_;
    } else {
      map.extents_.push_back(extent);
    }
  }
  std::ranges::stable_sort(map.extents_, {}, Place);
  for (std::size_t i = 1; i < map.extents_.size(); ++i) {
    if (Place(map.extents_[i - 1]) == Place(map.extents_[i])) ++map.conflicts_;
  }
  for (const ExtentView& extent : map.extents_) map.pages_ += extent.pages;
  return map;
}

std::vector<ExtentView> ExtentMap::OfKind(ExtentKind kind) const {
  const auto range = Range(extents_, kind, &ExtentView::kind);
  return {range.begin(), range.end()};
}

std::span<const ExtentView> ExtentMap::Find(ExtentKind kind,
                                            std::uint32_t chunk) const {
  return Range(extents_, std::tuple(kind, 0U, chunk), Place);
}

bool ExtentMap::Contains(const ExtentView& extent) const {
  return std::ranges::count(Range(extents_, Place(extent), Place), extent) > 0;
}

}  // namespace heapledger::collector
