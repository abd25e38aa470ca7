// SPDX-License-Identifier: Apache-2.0
// Which pages of another process are in memory, as /proc/PID/pagemap has it.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace heapledger::collector {

inline constexpr std::uint64_t kSmallPageBytes = 4096;

enum class PageState : std::uint8_t { kAbsent, kResident, kSwapped };

class PageMap {
 public:
  // Of the process in `directory` (/proc/PID).
  static absl::StatusOr<std::unique_ptr<PageMap>> Open(
      const std::string& directory);
  ~PageMap();
  PageMap(const PageMap&) = delete;
  PageMap& operator=(const PageMap&) = delete;

  // The states of `count` pages from an address on that begins one. What is
  // beyond the process' memory is absent.
  absl::Status Read(std::uint64_t start, std::size_t count,
                    std::vector<PageState>* states);

 private:
  PageMap(int file, std::string path) : file_(file), path_(std::move(path)) {}

  int file_;
  std::string path_;
  std::vector<std::uint64_t> entries_;
};

}  // namespace heapledger::collector
