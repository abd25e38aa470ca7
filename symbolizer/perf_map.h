// SPDX-License-Identifier: Apache-2.0
// The names that a JIT compiler writes for perf: /tmp/perf-PID.map, a line
// "START SIZE NAME" (hexadecimal) for each piece of code. The file is the
// target's: any line may be garbage, and garbage is skipped and counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "symbolizer/range_index.h"
#include "symbolizer/regular_file.h"

namespace heapledger::symbolizer {

class PerfMap {
 public:
  // Where a JIT in process `pid` writes its map; the pid is that of the
  // target's own pid namespace.
  static std::string PathForPid(std::int64_t pid);

  // Reads at most kMaxBytes. A map is appended to while the target runs: read
  // it again to see more.
  static absl::StatusOr<PerfMap> Read(const RegularFile& file);

  static PerfMap Parse(std::string_view text);

  // Returns the name that covers `address`, or an empty view. Where entries
  // overlap the later line wins: the JIT has reused the memory.
  std::string_view Find(std::uint64_t address) const;

  std::size_t entries() const { return names_.size(); }
  std::size_t skipped_lines() const { return skipped_lines_; }

 private:
  // A node program with --perf-basic-prof writes some ten megabytes an hour.
  static constexpr std::size_t kMaxBytes = std::size_t{256} << 20;

  struct Name {
    std::size_t offset;
    std::size_t size;
  };

  std::string text_;
  std::vector<Name> names_;
  RangeIndex<std::uint32_t> index_;
  std::size_t skipped_lines_ = 0;
};

}  // namespace heapledger::symbolizer
