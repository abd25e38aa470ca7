// SPDX-License-Identifier: Apache-2.0
// Which pages of the process' memory were written to since they were last asked
// about: the kernel's asynchronous write protection (Linux 6.7 on), by which a
// first write to a page costs the writer about a microsecond and nothing waits
// for us. The program's own use of userfaultfd is left alone: what it watches
// cannot be tracked.
//
// Thread safety: one user. Mappings may change meanwhile; what became of them
// counts as written.
#pragma once

#include <cstddef>
#include <cstdint>

#include "preload/scan/range_list.h"

namespace heapledger::preload {

class DirtyPages {
 public:
  // REQUIRES: zeroed members. False where the kernel does not offer it or does
  // not allow it.
  bool Open();
  // Ends all tracking, by small steps: the kernel's own end of it at once would
  // hold up page faults for as long as all memory takes.
  void Close();

  // Has the pages of [start, end) tracked, from now on as not written to.
  void Track(std::uint64_t start, std::uint64_t end);

  enum class Then { kLeave, kForget };

  // Calls `visit(start, end)` for runs of pages in [start, end) that were
  // written to, or of which the kernel does not know; with kForget they count
  // as not written from then on.
  template <typename Visit>
  void ForEachWritten(std::uint64_t start, std::uint64_t end, Then then,
                      Visit&& visit);
  // The same over all that is tracked.
  template <typename Visit>
  void ForEachWritten(Then then, Visit&& visit) {
    for (std::uint32_t i = 0; i < count_; ++i) {
      ForEachWritten(tracked_[i].start, tracked_[i].end, then, visit);
    }
  }

 private:
  static constexpr std::uint32_t kMaxTracked = 1U << 16;
  static constexpr std::uint32_t kRunsPerLook = 512;

  // struct page_region and the interesting half of struct pm_scan_arg, see
  // Documentation/admin-guide/mm/pagemap.rst of Linux.
  struct PageRun {
    std::uint64_t start;
    std::uint64_t end;
    std::uint64_t categories;
  };

  // Fills runs_ with what was written from `start` on and returns their number;
  // `*next` is where it stopped. Negative: the kernel does not know.
  long Look(std::uint64_t start, std::uint64_t end, Then then,
            std::uint64_t* next);

  int faults_ = -1;  // the userfaultfd
  int pages_ = -1;   // /proc/self/pagemap
  std::uint32_t count_ = 0;
  scan::Range tracked_[kMaxTracked];
  PageRun runs_[kRunsPerLook];
};

template <typename Visit>
void DirtyPages::ForEachWritten(std::uint64_t start, std::uint64_t end,
                                Then then, Visit&& visit) {
  while (start < end) {
    std::uint64_t next = end;
    const long runs = Look(start, end, then, &next);
    if (runs < 0) return visit(start, end);
    for (long i = 0; i < runs; ++i) visit(runs_[i].start, runs_[i].end);
    if (next <= start) return visit(start, end);
    start = next;
  }
}

}  // namespace heapledger::preload
