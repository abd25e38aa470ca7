// SPDX-License-Identifier: Apache-2.0
#include "collector/shm/code_book.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "heapledger/ledger/layout.h"

namespace heapledger::collector {
namespace {

using ledger::CodeRecord;

constexpr std::uint32_t kPerChunk = ledger::kRecordsPerChunk<CodeRecord>;
constexpr std::size_t kSize = sizeof(CodeRecord) / kWordBytes;

}  // namespace

absl::Status CodeBook::Update(const MappedLedger& file,
                              const ExtentMap& extents) {
  Words words(kPerChunk * kSize);
  for (const ExtentView& extent : extents.OfKind(ledger::ExtentKind::kCodes)) {
    // Id 0 is never published.
    const std::uint32_t all = extent.chunk == 0 ? kPerChunk - 1 : kPerChunk;
    std::uint32_t& known = known_in_chunk_[extent.chunk];
    if (known >= all) continue;
    if (absl::Status ok = file.Copy(extent.page, words); !ok.ok()) return ok;
    for (std::uint32_t i = 0; i < kPerChunk; ++i) {
      const std::uint32_t id = extent.chunk * kPerChunk + i;
      const auto record =
          std::span<const std::uint64_t>(words).subspan(i * kSize, kSize);
      if (static_cast<std::uint32_t>(record[0]) != 1 || id == 0 ||
          index_of_code_.contains(id)) {
        continue;
      }
      index_of_code_[id] = Intern(Decode(record));
      ++known;
    }
  }
  return absl::OkStatus();
}

CodeInfo CodeBook::Decode(std::span<const std::uint64_t> record) {
  const auto flags =
      LoadField<std::uint32_t>(record, offsetof(CodeRecord, flags));
  std::size_t name_bytes =
      LoadField<std::uint16_t>(record, offsetof(CodeRecord, name_bytes));
  std::size_t file_bytes =
      LoadField<std::uint16_t>(record, offsetof(CodeRecord, file_bytes));
  if (name_bytes + file_bytes > ledger::kCodeTextBytes) {
    ++corrupt_;
    name_bytes = std::min<std::size_t>(name_bytes, ledger::kCodeTextBytes);
    file_bytes =
        std::min<std::size_t>(file_bytes, ledger::kCodeTextBytes - name_bytes);
  }
  const std::string_view text(
      reinterpret_cast<const char*>(std::as_bytes(record).data()) +
          offsetof(CodeRecord, text),
      ledger::kCodeTextBytes);
  CodeInfo code;
  code.name = text.substr(0, name_bytes);
  code.file = text.substr(name_bytes, file_bytes);
  code.first_line =
      LoadField<std::uint32_t>(record, offsetof(CodeRecord, first_line));
  code.name_cut = (flags & ledger::kCodeNameCut) != 0;
  code.file_cut = (flags & ledger::kCodeFileCut) != 0;
  return code;
}

std::uint32_t CodeBook::IndexOf(std::uint32_t id) {
  const auto known = index_of_code_.find(id);
  if (known != index_of_code_.end()) return known->second;
  return Intern({});
}

std::uint32_t CodeBook::Intern(CodeInfo code) {
  const auto [place, added] = index_by_content_.try_emplace(
      absl::StrCat(code.first_line, code.name_cut ? "c" : " ",
                   code.file_cut ? "c" : " ", code.name.size(), " ", code.name,
                   code.file),
      static_cast<std::uint32_t>(codes_.size()));
  if (added) codes_.push_back(std::move(code));
  return place->second;
}

}  // namespace heapledger::collector
