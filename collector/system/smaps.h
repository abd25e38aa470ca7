// SPDX-License-Identifier: Apache-2.0
// The walks over a process' pages: /proc/PID/smaps_rollup, and smaps where it
// matters which mapping is whose. The kernel visits every page for either
// (about 70 ms per GiB) and holds the process' memory map meanwhile, so they
// are for once a minute, never for a scrape.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace heapledger::collector {

// In bytes, all resident.
struct PageTotals {
  std::uint64_t pss = 0;  // shared pages divided by who shares them
  std::uint64_t uss = 0;  // of this process alone
  std::uint64_t dirty = 0;

  friend bool operator==(const PageTotals&, const PageTotals&) = default;
};

// Resident bytes by what a mapping looks like, in a process over glibc's malloc
// and under the shim. Anonymous pages only, but for ledger_file.
struct MappedAreas {
  std::uint64_t heap = 0;         // [heap] and arenas of malloc
  std::uint64_t heap_mapped = 0;  // their size, resident or not
  std::uint64_t stacks = 0;       // [stack], and what lies behind a guard page
  std::uint64_t shim = 0;         // the shim's large private tables
  std::uint64_t ledger_file = 0;  // the ledger, in file or shared memory
  std::uint64_t rest = 0;         // malloc's single blocks among it

  friend bool operator==(const MappedAreas&, const MappedAreas&) = default;
};

// A mapping that malloc may have blocks in.
struct MemoryRange {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  // [heap] or an arena of glibc's malloc; else another private mapping.
  bool of_malloc = false;

  friend bool operator==(const MemoryRange&, const MemoryRange&) = default;
};

struct PageWalk {
  PageTotals totals;
  MappedAreas areas;
};

// A mapping as far as its lines were read.
struct SmapsMapping {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::string permissions;
  std::string name;
  std::uint64_t resident = 0;
  std::uint64_t anonymous = 0;
  bool no_reserve = false;
  bool no_huge_page = false;
};

// Takes smaps line by line.
class SmapsReader {
 public:
  // `ledger_file` is the name of the process' ledger without directories.
  explicit SmapsReader(std::string_view ledger_file)
      : ledger_file_(ledger_file) {}

  void Line(std::string_view line);
  // After the last line.
  [[nodiscard]] const PageWalk& Finish();

  // Private writable mappings with anonymous pages, by address: not stacks, nor
  // the shim's own.
  [[nodiscard]] const std::vector<MemoryRange>& ranges() const {
    return ranges_;
  }

 private:
  void Begin(std::string_view line);
  void Field(std::string_view line);
  void End();
  std::uint64_t& AreaOf(const SmapsMapping& mapping);

  const std::string ledger_file_;
  std::optional<SmapsMapping> mapping_;
  std::uint64_t guard_end_ = 0;  // where the last guard page ended
  PageWalk walk_;
  std::vector<MemoryRange> ranges_;
};

// Reads smaps of the process in `directory` (/proc/PID). DeadlineExceeded once
// it took longer than `budget`: a process with very many mappings. `ranges`,
// where given, takes SmapsReader::ranges().
[[nodiscard]] absl::StatusOr<PageWalk> WalkSmaps(
    const std::string& directory, std::string_view ledger_file,
    std::chrono::nanoseconds budget,
    std::vector<MemoryRange>* ranges = nullptr);

// Of /proc/PID/smaps_rollup.
[[nodiscard]] std::optional<PageTotals> ParseSmapsRollup(std::string_view text);

}  // namespace heapledger::collector
