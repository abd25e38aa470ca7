// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/ledger_control.h"

#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "collector/cli/heap_writer.h"
#include "collector/cli/mark_writer.h"
#include "collector/cli/output.h"
#include "collector/profile/hl_marks.h"

namespace heapledger::collector::cli {

using response::Level;
using response::Target;

absl::StatusOr<LiveLedger> LedgerControl::Find(const Target& target) const {
  auto ledger = FindLiveLedger(options_, absl::StrCat(target.key.pid));
  const auto absent = [&target](std::string_view why) {
    return absl::FailedPreconditionError(
        absl::StrCat(target.process, " has no ledger: ", std::string(why)));
  };
  if (!target.under_shim) {
    return absent("it is not under the shim; start it with heapledger run");
  }
  if (!ledger.ok()) return absent(std::string(ledger.status().message()));
  if (ledger->snapshot->identity.start_time_ticks !=
      target.key.start_time_ticks) {
    return absent("its pid is another process' by now");
  }
  return ledger;
}

absl::StatusOr<LedgerControl::WrittenFile> LedgerControl::Snapshot(
    const Target& target, const std::string& pattern,
    std::uint64_t most_bytes) {
  const auto ledger = Find(target);
  if (!ledger.ok()) return ledger.status();
  Heap heap;
  heap.snapshot = ledger->snapshot;
  heap.marks = ListMarks(*ledger->snapshot);
  heap.names = std::shared_ptr<FrameNames>(names_, [](FrameNames*) {});
  const auto bytes = EncodeHeap(heap, FileFormat(), WriteOptions(), nullptr);
  if (!bytes.ok()) return bytes.status();
  if (bytes->size() > most_bytes) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the file would have ", HumanBytes(bytes->size()), ", and ",
        HumanBytes(most_bytes), " are left of max_bytes; raise it"));
  }
  auto path = WriteOutput(pattern, NameFields::Of(*ledger->snapshot), *bytes,
                          Overwrite::kRefuse);
  if (!path.ok()) return path.status();
  return WrittenFile{*std::move(path), bytes->size()};
}

absl::StatusOr<std::string> LedgerControl::Mark(const Target& target,
                                                Level level) {
  const auto ledger = Find(target);
  if (!ledger.ok()) return ledger.status();
  // Several in a second are one.
  const auto name = ExpandName("%t", NameFields::Of(*ledger->snapshot), 1);
  if (!name.ok()) return name.status();
  const auto written = SetMark(
      ledger->snapshot,
      absl::StrCat("pressure-", std::string(LevelWord(level)), "-", *name),
      Overwrite::kForce);
  if (!written.ok()) return written.status();
  return written->mark.name;
}

}  // namespace heapledger::collector::cli
