// SPDX-License-Identifier: Apache-2.0
// The host's memory (/proc/meminfo) and paging (/proc/vmstat).
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"

namespace heapledger::collector {

// In bytes.
struct HostMemory {
  std::uint64_t total = 0;
  std::uint64_t available = 0;  // the kernel's estimate, without swapping
  std::uint64_t buffers = 0;
  std::uint64_t cached = 0;
  std::uint64_t swap_total = 0;
  std::uint64_t swap_free = 0;
  std::uint64_t commit_limit = 0;
  std::uint64_t committed_as = 0;
};

// Since boot.
struct HostPaging {
  std::uint64_t swap_in_pages = 0;
  std::uint64_t swap_out_pages = 0;
  std::uint64_t faults = 0;
  std::uint64_t major_faults = 0;
  std::uint64_t oom_kills = 0;
};

// An error names the line that is missing.
[[nodiscard]] absl::StatusOr<HostMemory> ParseMeminfo(std::string_view text);
// Kernels that are built without swap or lack a counter have 0 there.
[[nodiscard]] HostPaging ParseVmstat(std::string_view text);

}  // namespace heapledger::collector
