// SPDX-License-Identifier: Apache-2.0
// A file that may belong to someone else's container: opened below a root that
// its symbolic links cannot leave, and only if it is a regular file, so that
// no pipe or device makes us wait.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"

namespace heapledger::symbolizer {

class RegularFile {
 public:
  // `path` must be absolute. `root` is empty for the host's own root.
  static absl::StatusOr<RegularFile> Open(std::string_view root,
                                          std::string_view path);

  RegularFile(RegularFile&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_) {}
  RegularFile& operator=(RegularFile&& other) noexcept;
  ~RegularFile();

  int descriptor() const { return descriptor_; }
  // When it was opened; the file may change at any time.
  std::uint64_t size() const { return size_; }

  // At most `max_bytes` from the start.
  absl::StatusOr<std::string> Read(std::size_t max_bytes) const;

  // The CRC that .gnu_debuglink holds.
  absl::StatusOr<std::uint32_t> Crc32() const;

 private:
  RegularFile(int descriptor, std::uint64_t size)
      : descriptor_(descriptor), size_(size) {}

  int descriptor_;
  std::uint64_t size_;
};

}  // namespace heapledger::symbolizer
