// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/find_death.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "collector/cli/find_ledger.h"
#include "collector/logs/kmsg_source.h"
#include "collector/obituary/compose.h"
#include "collector/obituary/store.h"
#include "collector/profile/hl_marks.h"
#include "collector/shm/host_ledgers.h"

namespace heapledger::collector::cli {
namespace {

using Snapshot = std::shared_ptr<const LedgerSnapshot>;

constexpr std::size_t kKmsgBytes = 1 << 20;

bool Runs(const LedgerSnapshot& snapshot) {
  return snapshot.state == ProcessState::kLive ||
         snapshot.state == ProcessState::kStarting;
}

bool IsFile(const std::string& path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

std::uint64_t LastWrittenNs(const std::string& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0 || status.st_mtim.tv_sec < 0) return 0;
  return static_cast<std::uint64_t>(status.st_mtim.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(status.st_mtim.tv_nsec);
}

absl::Status StillRuns(const LedgerSnapshot& snapshot) {
  return absl::FailedPreconditionError(absl::StrCat(
      snapshot.identity.Program(), " (pid ", snapshot.identity.pid,
      ") runs; read its heap with heapledger report ", snapshot.identity.pid));
}

absl::StatusOr<Death> OfFile(const std::string& path) {
  Death death;
  auto file = ReadHl(path);
  if (!file.ok()) return file.status();
  auto obituary = obituary::FromSections(file->others, path);
  if (!obituary.ok()) {
    if (!absl::IsNotFound(obituary.status())) return obituary.status();
    return absl::InvalidArgumentError(
        absl::StrCat(obituary.status().message(),
                     "; read it with heapledger report ", path));
  }
  death.heap = {std::move(file->snapshot),
                std::move(file->names),
                std::move(file->marks),
                std::move(file->facts),
                "",
                std::move(file->others)};
  death.obituary = *std::move(obituary);
  death.path = path;
  death.sealed = true;
  return death;
}

// The kernel's log as far back as it goes; none where we may not read it.
std::optional<obituary::KernelDeaths> ReadKernelLog() {
  const auto source = logs::MakeKmsgSource(logs::ReadFrom::kStart);
  obituary::KernelDeaths deaths;
  while (source->Poll(
      kKmsgBytes, [&deaths](const logs::LogLine& line) { deaths.Add(line); })) {
  }
  if (!source->state().problem.empty()) return std::nullopt;
  return deaths;
}

Death OfLedger(Snapshot snapshot, Symbols& symbols) {
  Death death;
  death.path = snapshot->path;
  death.heap.marks = ListMarks(*snapshot);
  death.heap.snapshot = std::move(snapshot);
  const auto kernel = ReadKernelLog();
  obituary::DeathFacts facts;
  facts.snapshot = death.heap.snapshot.get();
  facts.marks = death.heap.marks;
  facts.alive_at_least_ns = LastWrittenNs(death.path);
  facts.kernel = kernel ? &*kernel : nullptr;
  death.obituary = obituary::Compose(facts, symbols.For(death.heap));
  return death;
}

// When a dead ledger's process died, as far as the ledger tells: enough to
// order deaths by.
std::uint64_t DiedNs(const LedgerSnapshot& snapshot) {
  return std::max({LastWrittenNs(snapshot.path),
                   snapshot.state_changed_realtime_ns,
                   snapshot.identity.created_realtime_ns});
}

bool Fits(const obituary::StoredObituary& stored, const std::string& what) {
  std::uint32_t pid = 0;
  if (what.empty()) return true;
  if (absl::SimpleAtoi(what, &pid)) return stored.pid == pid;
  return stored.program == what;
}

struct Candidates {
  std::optional<obituary::StoredObituary> stored;  // the newest
  Snapshot ledger;  // the newest that is dead and has no obituary
  Snapshot running;
};

Candidates Look(const DiscoveryOptions& options, const std::string& store,
                const std::string& what) {
  Candidates found;
  const auto stored = obituary::ListStore(store);
  for (const auto& obituary : stored) {
    if (!found.stored && Fits(obituary, what)) found.stored = obituary;
  }
  for (const Snapshot& ledger : HostLedgers(options).Take().ledgers) {
    if (!what.empty() && !Matches(*ledger, what)) continue;
    if (Runs(*ledger)) {
      found.running = ledger;
      continue;
    }
    const bool sealed = std::ranges::any_of(stored, [&](const auto& obituary) {
      return obituary.Of(ledger->identity);
    });
    if (sealed || ledger->state == ProcessState::kReplaced) continue;
    if (found.ledger == nullptr || DiedNs(*ledger) > DiedNs(*found.ledger)) {
      found.ledger = ledger;
    }
  }
  return found;
}

}  // namespace

absl::StatusOr<Death> FindDeath(const DiscoveryOptions& options,
                                const std::string& store,
                                const std::string& what, Symbols& symbols) {
  const bool is_path = what.find('/') != std::string::npos || IsFile(what);
  if (what.ends_with(".hl") || (is_path && LooksLikeHl(what))) {
    return OfFile(what);
  }
  if (is_path) {
    auto ledger = TakeFile(options, what);
    if (!ledger.ok()) return ledger.status();
    if (Runs(**ledger)) return StillRuns(**ledger);
    return OfLedger(*std::move(ledger), symbols);
  }
  Candidates found = Look(options, store, what);
  const bool stored_is_newer =
      found.stored && (found.ledger == nullptr ||
                       found.stored->died_realtime_ns >= DiedNs(*found.ledger));
  // Who names a pid or a program that runs means that one.
  if (!what.empty() && found.running != nullptr && !found.stored &&
      found.ledger == nullptr) {
    return StillRuns(*found.running);
  }
  if (stored_is_newer) return OfFile(found.stored->path);
  if (found.ledger != nullptr) {
    return OfLedger(std::move(found.ledger), symbols);
  }
  return absl::NotFoundError(absl::StrCat(
      what.empty() ? "nobody has died"
                   : absl::StrCat("there is no death of '", what, "'"),
      " that left a ledger or an obituary; name the directory of obituaries "
      "with --obituaries, or look at heapledger ps"));
}

}  // namespace heapledger::collector::cli
