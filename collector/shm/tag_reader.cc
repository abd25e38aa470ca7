// SPDX-License-Identifier: Apache-2.0
#include "collector/shm/tag_reader.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "heapledger/ledger/layout.h"

namespace heapledger::collector {
namespace {

using ledger::ExtentKind;
using ledger::ScopeCell;
using ledger::TagRecord;

constexpr std::uint32_t kTagsPerChunk = ledger::kRecordsPerChunk<TagRecord>;
constexpr std::size_t kTagWords = sizeof(TagRecord) / kWordBytes;
constexpr std::uint32_t kScopesPerChunk = ledger::kRecordsPerChunk<ScopeCell>;
constexpr std::size_t kScopeWords = sizeof(ScopeCell) / kWordBytes;

// No writer gets there, and sums of what stays below cannot wrap.
constexpr std::uint64_t kMaximumCount = std::uint64_t{1} << 58;

// Sums are made anew when an extent that they used was taken back meanwhile.
constexpr int kSumAttempts = 4;

std::string TextAt(std::span<const std::uint64_t> record, std::size_t offset,
                   std::size_t size) {
  const std::string_view bytes(
      reinterpret_cast<const char*>(std::as_bytes(record).data()) + offset,
      size);
  return std::string(bytes.substr(0, bytes.find('\0')));
}

TagInfo TagOf(std::span<const std::uint64_t> record) {
  TagInfo tag;
  tag.name = TextAt(record, offsetof(TagRecord, name), ledger::kTagNameBytes);
  const auto count = std::min(
      LoadField<std::uint32_t>(record, offsetof(TagRecord, label_count)),
      ledger::kMaxTagLabels);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::size_t at =
        offsetof(TagRecord, labels) + i * sizeof(TagRecord::Label);
    tag.labels.push_back({TextAt(record, at + offsetof(TagRecord::Label, key),
                                 ledger::kTagKeyBytes),
                          TextAt(record, at + offsetof(TagRecord::Label, value),
                                 ledger::kTagValueBytes)});
  }
  return tag;
}

}  // namespace

absl::StatusOr<std::vector<std::pair<std::uint32_t, TagInfo>>> ReadNewTags(
    const MappedLedger& file, const ExtentMap& extents,
    const IndexOfId& known) {
  std::vector<std::pair<std::uint32_t, TagInfo>> fresh;
  Words words(kTagsPerChunk * kTagWords);
  for (const ExtentView& extent : extents.OfKind(ExtentKind::kTags)) {
    if (absl::Status ok = file.Copy(extent.page, words); !ok.ok()) return ok;
    for (std::uint32_t i = 0; i < kTagsPerChunk; ++i) {
      const auto record = std::span<const std::uint64_t>(words).subspan(
          i * kTagWords, kTagWords);
      const std::uint64_t id = std::uint64_t{extent.chunk} * kTagsPerChunk + i;
      if (static_cast<std::uint32_t>(record[0]) != 1 ||
          id < ledger::kFirstTag || id >= ledger::kMaxTags ||
          known.contains(static_cast<std::uint32_t>(id))) {
        continue;
      }
      fresh.emplace_back(static_cast<std::uint32_t>(id), TagOf(record));
    }
  }
  // Two extents may claim one chunk for a moment: the first one's holds.
  std::ranges::stable_sort(fresh, {},
                           [](const auto& tag) { return tag.first; });
  const auto twice =
      std::ranges::unique(fresh, {}, [](const auto& tag) { return tag.first; });
  fresh.erase(twice.begin(), twice.end());
  return fresh;
}

absl::Status ScopeSums::Read() {
  for (int attempt = 0; attempt < kSumAttempts; ++attempt) {
    auto extents = file_.ReadExtents();
    if (!extents.ok()) return extents.status();
    const std::vector<ExtentView> used = extents->OfKind(ExtentKind::kScopes);
    by_id_.clear();
    corrupt_ = 0;
    // All ends first: then no end is seen without its beginning.
    absl::Status ok =
        Add(used, offsetof(ScopeCell, ended), &ScopeCounts::ended);
    if (ok.ok()) {
      ok = Add(used, offsetof(ScopeCell, begun), &ScopeCounts::begun);
    }
    if (!ok.ok()) return ok;
    extents = file_.ReadExtents();
    if (!extents.ok()) return extents.status();
    if (std::ranges::all_of(used, [&](const ExtentView& extent) {
          return extents->Contains(extent);
        })) {
      return absl::OkStatus();
    }
  }
  return absl::AbortedError(absl::StrCat("read ledger ", file_.path(),
                                         ": its extents change at every look"));
}

absl::Status ScopeSums::Add(const std::vector<ExtentView>& extents,
                            std::size_t field,
                            std::uint64_t ScopeCounts::*count) {
  Words words(kScopesPerChunk * kScopeWords);
  for (const ExtentView& extent : extents) {
    const std::uint64_t first = std::uint64_t{extent.chunk} * kScopesPerChunk;
    if (first >= ledger::kMaxTags) {
      ++corrupt_;
      continue;
    }
    if (absl::Status ok = file_.Copy(extent.page, words); !ok.ok()) return ok;
    by_id_.resize(
        std::max<std::size_t>(by_id_.size(), first + kScopesPerChunk));
    for (std::uint32_t i = 0; i < kScopesPerChunk; ++i) {
      const std::uint64_t value = words[i * kScopeWords + field / kWordBytes];
      if (value > kMaximumCount) {
        ++corrupt_;
      } else {
        by_id_[first + i].*count += value;
      }
    }
  }
  return absl::OkStatus();
}

bool ScopeSums::has_other() const {
  return by_id_.size() > ledger::kOtherTag &&
         by_id_[ledger::kOtherTag] != ScopeCounts();
}

void ScopeSums::Book(const IndexOfId& index_of_tag, LedgerSnapshot& snapshot) {
  snapshot.corrupt_records += corrupt_;
  for (std::uint32_t id = 0; id < by_id_.size(); ++id) {
    if (by_id_[id] == ScopeCounts()) continue;
    const auto index = index_of_tag.find(id);
    if (index == index_of_tag.end()) {
      ++snapshot.corrupt_records;
      continue;
    }
    if (snapshot.scopes.size() <= index->second) {
      snapshot.scopes.resize(index->second + 1);
    }
    snapshot.scopes[index->second].begun += by_id_[id].begun;
    snapshot.scopes[index->second].ended += by_id_[id].ended;
  }
}

}  // namespace heapledger::collector
