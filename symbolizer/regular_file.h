// SPDX-License-Identifier: Apache-2.0
// A file that may belong to someone else's container: opened below a root that
// its symbolic links cannot leave, and only if it is a regular file, so that
// no pipe or device makes us wait.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace heapledger::symbolizer {

class RegularFile {
 public:
  // `path` must be absolute. `root` is empty for the host's own root.
  static absl::StatusOr<RegularFile> Open(std::string_view root,
                                          std::string_view path);

  RegularFile(RegularFile&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)),
        size_(other.size_),
        owner_(other.owner_),
        identity_(std::move(other.identity_)) {}
  RegularFile& operator=(RegularFile&& other) noexcept;
  ~RegularFile();

  int descriptor() const { return descriptor_; }
  // When it was opened; the file may change at any time.
  std::uint64_t size() const { return size_; }

  // The user whose file it is.
  std::uint32_t owner() const { return owner_; }
  // Size and time of the last change, in text: another if the bytes are others.
  const std::string& identity() const { return identity_; }

  // Fills `out` from `offset` on. Fails if the file ends before.
  absl::Status ReadAt(std::uint64_t offset, std::span<char> out) const;

  // At most `max_bytes` from the start.
  absl::StatusOr<std::string> Read(std::size_t max_bytes) const;

  // The CRC that .gnu_debuglink holds.
  absl::StatusOr<std::uint32_t> Crc32() const;

 private:
  explicit RegularFile(int descriptor) : descriptor_(descriptor) {}

  int descriptor_;
  std::uint64_t size_ = 0;
  std::uint32_t owner_ = 0;
  std::string identity_;
};

}  // namespace heapledger::symbolizer
