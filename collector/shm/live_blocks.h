// SPDX-License-Identifier: Apache-2.0
// Every live block of a running process, from its object map, read out of its
// memory from outside while it runs on. What is found is what was there when
// its place was read: blocks come and go meanwhile.
//
// Nothing read is trusted: addresses are only read from, by a system call that
// fails where there is nothing.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collector/shm/page_map.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector {

struct LiveBlock {
  std::uint64_t address = 0;  // rounded down to its granule
  std::uint64_t bytes = 0;    // as the program asked for
  std::uint32_t callsite_id = 0;
};

class LiveBlocks {
 public:
  // Of the process `pid`, whose /proc is `directory`. Needs the right to read
  // its memory (ptrace access).
  static absl::StatusOr<std::unique_ptr<LiveBlocks>> Open(
      std::uint32_t pid, const std::string& directory,
      const ObjectMapPlace& place);

  // Calls `visit` for every block that begins in [start, end), by address.
  absl::Status Visit(std::uint64_t start, std::uint64_t end,
                     const std::function<void(const LiveBlock&)>& visit);

  // Whether any block ever began in [start, end), to within the 32 KiB that a
  // page of the map is for.
  absl::StatusOr<bool> EverUsed(std::uint64_t start, std::uint64_t end);

 private:
  LiveBlocks(std::uint32_t pid, const ObjectMapPlace& place,
             std::unique_ptr<PageMap> pages)
      : pid_(pid), place_(place), pages_(std::move(pages)) {}

  absl::Status ReadMemory(std::uint64_t address, std::size_t bytes, void* to);
  // The addresses of the leaves for [start, end), 0 where there is none.
  absl::Status ReadDirectory(std::uint64_t start, std::uint64_t end,
                             std::vector<std::uint64_t>* leaves);
  // The leaf's slots; those on pages that were never touched are 0.
  absl::Status ReadLeaf(std::uint64_t leaf);

  std::uint32_t pid_;
  ObjectMapPlace place_;
  std::unique_ptr<PageMap> pages_;
  std::vector<std::uint32_t> slots_;
  std::vector<PageState> states_;
};

}  // namespace heapledger::collector
