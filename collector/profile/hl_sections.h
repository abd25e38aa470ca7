// SPDX-License-Identifier: Apache-2.0
// The outer form of a snapshot file: header, section table, checksums. Gives
// each section as records, whatever the file claims of itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collector/profile/hl_layout.h"

namespace heapledger::collector {

// Records of one section, which may be longer than this build knows.
template <typename Record>
class HlRecords {
 public:
  HlRecords() = default;
  HlRecords(std::span<const std::byte> bytes, std::size_t stride)
      : bytes_(bytes), stride_(stride) {}

  [[nodiscard]] std::size_t size() const { return bytes_.size() / stride_; }
  // REQUIRES: index < size()
  [[nodiscard]] Record operator[](std::size_t index) const {
    Record record;
    std::memcpy(&record, bytes_.data() + index * stride_, sizeof record);
    return record;
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t stride_ = sizeof(Record);
};

// `bytes` must outlive it.
class HlSections {
 public:
  // The message says what is wrong and begins with `path`.
  static absl::StatusOr<HlSections> Parse(std::span<const std::byte> bytes,
                                          const std::string& path);

  [[nodiscard]] bool Has(std::string_view name) const {
    return sections_.contains(name);
  }

  // By name.
  [[nodiscard]] std::vector<std::string> Names() const;

  // An error where it is missing, its checksum is wrong or its records are too
  // short. Checked at each call, so that a look at one section costs no more.
  template <typename Record>
  absl::StatusOr<HlRecords<Record>> Records(std::string_view name) const {
    const auto section = Find(name, sizeof(Record));
    if (!section.ok()) return section.status();
    return HlRecords<Record>((*section)->bytes, (*section)->record_bytes);
  }
  absl::StatusOr<std::string_view> Chars(std::string_view name) const;

  // "FILE is no sound snapshot: <why>; …"
  [[nodiscard]] absl::Status Unsound(std::string_view why) const;

 private:
  struct Section {
    std::span<const std::byte> bytes;
    std::size_t record_bytes = 0;
    std::uint32_t checksum = 0;
  };

  explicit HlSections(std::string path) : path_(std::move(path)) {}
  absl::Status ParseHeader(std::span<const std::byte> bytes,
                           hl::Header* header) const;
  absl::Status AddSection(std::span<const std::byte> bytes,
                          const hl::Section& entry);
  absl::StatusOr<const Section*> Find(std::string_view name,
                                      std::size_t least_bytes) const;

  std::string path_;
  std::map<std::string, Section, std::less<>> sections_;
};

}  // namespace heapledger::collector
