// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/heap.h"

#include <sys/stat.h>

#include <utility>

#include "absl/status/status.h"
#include "collector/cli/find_ledger.h"
#include "collector/profile/hl_marks.h"

namespace heapledger::collector::cli {
namespace {

bool IsFile(const std::string& path) {
  struct stat facts;
  return stat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode);
}

Heap FromFile(HlFile file, const std::string& moment) {
  return {std::move(file.snapshot),
          std::move(file.names),
          std::move(file.marks),
          std::move(file.facts),
          moment,
          std::move(file.others)};
}

}  // namespace

absl::StatusOr<Heap> FindMark(
    const std::shared_ptr<const LedgerSnapshot>& ledger,
    const std::string& name) {
  auto mark = ReadMark(*ledger, name);
  if (!mark.ok()) return mark.status();
  return FromFile(*std::move(mark), name);
}

absl::StatusOr<Heap> FindHeap(const DiscoveryOptions& options,
                              const std::string& what) {
  const bool is_file = IsFile(what);
  if (what.ends_with(".hl") || (is_file && LooksLikeHl(what))) {
    auto file = ReadHl(what);
    if (!file.ok()) return file.status();
    return FromFile(*std::move(file), what);
  }
  const std::size_t at = what.rfind('@');
  const bool is_mark = !is_file && at != std::string::npos && at != 0;
  auto ledger = FindLedger(options, is_mark ? what.substr(0, at) : what);
  if (!ledger.ok()) return ledger.status();
  if (is_mark) return FindMark(*ledger, what.substr(at + 1));
  Heap heap;
  heap.snapshot = *std::move(ledger);
  heap.marks = ListMarks(*heap.snapshot);
  return heap;
}

}  // namespace heapledger::collector::cli
