// SPDX-License-Identifier: Apache-2.0
#include "collector/shm/host_ledgers.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "collector/shm/clock.h"
#include "collector/shm/process_identity.h"

namespace heapledger::collector {
namespace {

absl::StatusOr<std::unique_ptr<LedgerReader>> OpenFound(
    const FoundLedger& found) {
  const auto descriptor = OpenLedgerFile(found.path, found.owner);
  if (!descriptor.ok()) return descriptor.status();
  return LedgerReader::Adopt(*descriptor, found.path);
}

}  // namespace

HostLedgers::HostLedgers(DiscoveryOptions options)
    : options_(std::move(options)) {}

HostSnapshot HostLedgers::Take(UnmeasuredScan scan) {
  HostSnapshot host;
  Discovered discovered = DiscoverLedgers(options_);
  host.problems = std::move(discovered.problems);
  for (auto& [key, entry] : entries_) entry.seen = false;
  for (const FoundLedger& found : discovered.ledgers) {
    Entry& entry = entries_[absl::StrCat(found.path, " ", found.inode)];
    entry.seen = true;
    const absl::Status ok = Look(found, entry);
    if (ok.ok()) {
      host.ledgers.push_back(entry.last);
    } else if (ok.code() != absl::StatusCode::kUnavailable &&
               ok.code() != absl::StatusCode::kNotFound) {
      // Unavailable: being created. Not found: removed since it was listed.
      host.problems.emplace_back(ok.message());
    }
  }
  std::erase_if(entries_, [](const auto& item) { return !item.second.seen; });
  host.unmeasured = FindUnmeasured(options_, discovered, scan);
  host.taken_monotonic_ns = ClockNs(CLOCK_MONOTONIC);
  return host;
}

absl::Status HostLedgers::Look(const FoundLedger& found, Entry& entry) {
  if (entry.final) return absl::OkStatus();
  if (entry.reader == nullptr) {
    auto reader = OpenFound(found);
    if (!reader.ok()) return reader.status();
    entry.reader = *std::move(reader);
  }
  auto liveness = Liveness::kUnknown;
  if (entry.last != nullptr) {
    // Before the counters: a process seen dead here cannot change them later.
    liveness = LivenessOf(options_.proc_root, entry.last->identity);
  }
  auto snapshot = entry.reader->Take();
  if (!snapshot.ok()) {
    entry.reader.reset();
    return snapshot.status();
  }
  const bool first = entry.last == nullptr;
  if (first) liveness = LivenessOf(options_.proc_root, snapshot->identity);
  snapshot->state = JudgeState(snapshot->state, liveness);
  entry.last = std::make_shared<const LedgerSnapshot>(*std::move(snapshot));
  entry.final = !first && liveness == Liveness::kDead;
  // What does not change any more needs no mapping.
  if (entry.final) entry.reader.reset();
  return absl::OkStatus();
}

}  // namespace heapledger::collector
