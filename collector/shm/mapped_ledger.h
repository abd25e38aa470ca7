// SPDX-License-Identifier: Apache-2.0
// A ledger file mapped for reading: bounds, and the one way to get bytes out.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collector/shm/extent_map.h"

namespace heapledger::collector {

using Words = std::vector<std::uint64_t>;

inline constexpr std::size_t kWordBytes = sizeof(std::uint64_t);

class MappedLedger {
 public:
  // Takes over `descriptor`. Checks that the file is a ledger of our version
  // and as long as it says.
  static absl::StatusOr<std::unique_ptr<MappedLedger>> Map(int descriptor,
                                                           std::string path);
  ~MappedLedger();
  MappedLedger(const MappedLedger&) = delete;
  MappedLedger& operator=(const MappedLedger&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::uint32_t pages() const { return pages_; }

  // Fills `to` from the start of `page`.
  // REQUIRES: the pages are inside the file and published.
  [[nodiscard]] absl::Status Copy(std::uint32_t page,
                                  std::span<std::uint64_t> to) const;

  // The header page, checked: magic and version as at Map().
  [[nodiscard]] absl::Status CopyHeader(Words* header) const;

  // The extent directory as of now.
  [[nodiscard]] absl::StatusOr<ExtentMap> ReadExtents() const;

 private:
  MappedLedger(std::string path, const std::uint64_t* base, std::size_t bytes);
  [[nodiscard]] absl::Status Check(const Words& header) const;
  [[nodiscard]] std::string Doing() const;

  std::string path_;
  const std::uint64_t* base_;
  std::size_t bytes_;
  std::uint32_t pages_;
};

// A field of a copied record, by its offset in the ABI's struct.
template <typename Field>
[[nodiscard]] Field LoadField(std::span<const std::uint64_t> words,
                              std::size_t offset) {
  Field field;
  std::memcpy(&field, std::as_bytes(words).subspan(offset).data(),
              sizeof field);
  return field;
}

}  // namespace heapledger::collector
