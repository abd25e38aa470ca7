// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/mark_writer.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "collector/cli/heap_writer.h"
#include "collector/ledger/utc_time.h"
#include "collector/profile/hl_marks.h"

namespace heapledger::collector::cli {
namespace {

absl::Status CheckRoom(const LedgerSnapshot& ledger, const std::string& name,
                       Overwrite overwrite, const std::vector<HlMark>& marks) {
  const auto same = std::ranges::find(marks, name, &HlMark::name);
  if (same != marks.end()) {
    if (overwrite == Overwrite::kForce) return absl::OkStatus();
    return absl::AlreadyExistsError(
        absl::StrCat("pid ", ledger.identity.pid, " has a mark '", name,
                     "' of ", UtcTimeText(same->taken_realtime_ns),
                     "; set it anew with --force or take another name"));
  }
  if (marks.size() < kMaximumMarks) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "pid ", ledger.identity.pid, " has ", marks.size(),
      " marks, the most that there may be; remove the oldest with heapledger "
      "mark ",
      ledger.identity.pid, " ", marks.front().name, " --remove"));
}

}  // namespace

absl::StatusOr<WrittenMark> SetMark(
    const std::shared_ptr<const LedgerSnapshot>& ledger,
    const std::string& name, Overwrite overwrite) {
  if (absl::Status ok = CheckMarkName(name); !ok.ok()) return ok;
  const std::size_t slash = ledger->path.rfind('/');
  RemoveOrphanMarks(slash == std::string::npos ? "."
                                               : ledger->path.substr(0, slash));
  if (absl::Status ok = CheckRoom(*ledger, name, overwrite, ListMarks(*ledger));
      !ok.ok()) {
    return ok;
  }
  Heap heap;
  heap.snapshot = ledger;
  const auto bytes = EncodeHeap(heap, FileFormat(), WriteOptions(), nullptr);
  if (!bytes.ok()) return bytes.status();
  const auto path = WriteOutput(EscapedName(MarkPath(*ledger, name)),
                                NameFields(), *bytes, overwrite);
  if (!path.ok()) return path.status();
  return WrittenMark{
      {name, ledger->taken_realtime_ns, ledger->totals.live_bytes(),
       ledger->totals.live_objects()},
      bytes->size()};
}

}  // namespace heapledger::collector::cli
