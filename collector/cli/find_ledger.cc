// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/find_ledger.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <tuple>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "collector/shm/host_ledgers.h"
#include "collector/shm/ledger_reader.h"
#include "collector/shm/process_identity.h"

namespace heapledger::collector::cli {
namespace {

bool Runs(const LedgerSnapshot& snapshot) {
  return snapshot.state == ProcessState::kLive ||
         snapshot.state == ProcessState::kStarting;
}

using Reader = absl::StatusOr<std::unique_ptr<LedgerReader>>;

absl::StatusOr<std::shared_ptr<const LedgerSnapshot>> TakeFrom(
    const DiscoveryOptions& options, const Reader& reader) {
  if (!reader.ok()) return reader.status();
  auto snapshot = (*reader)->Take();
  if (!snapshot.ok()) return snapshot.status();
  snapshot->state = JudgeState(
      snapshot->state, LivenessOf(options.proc_root, snapshot->identity));
  return std::make_shared<const LedgerSnapshot>(*std::move(snapshot));
}

std::string Places(const DiscoveryOptions& options) {
  if (!options.directory.empty()) return options.directory;
  return absl::StrCat(
      absl::StrJoin(options.parents,
                    absl::StrCat("/heapledger-", options.uid, " and ")),
      "/heapledger-", options.uid);
}

// Why there is no ledger, where the shim or the process tells.
absl::Status NotFound(const DiscoveryOptions& options, const HostSnapshot& host,
                      const std::string& what) {
  std::uint32_t pid = 0;
  const bool is_pid = absl::SimpleAtoi(what, &pid);
  const auto off = std::ranges::find_if(
      host.unmeasured, [&](const UnmeasuredProcess& process) {
        return is_pid ? process.pid == pid : process.program == what;
      });
  if (off != host.unmeasured.end()) {
    if (off->off_reason) {
      return absl::NotFoundError(
          absl::StrCat("pid ", off->pid,
                       " is not measured: ", OffReasonText(*off->off_reason),
                       "; ", OffReasonRemedy(*off->off_reason)));
    }
    return absl::NotFoundError(absl::StrCat(
        "pid ", off->pid,
        " has the shim but no ledger: it has allocated nothing yet, or writes "
        "to another directory; look there with --dir"));
  }
  const std::string whom =
      is_pid ? absl::StrCat("pid ", pid) : absl::StrCat("'", what, "'");
  const std::string why =
      is_pid && ReadProcessStat(options.proc_root, pid)
          ? "it runs without libheapledger.so"
          : absl::StrCat("there is none in ", Places(options));
  return absl::NotFoundError(absl::StrCat("no ledger for ", whom, ": ", why,
                                          "; start it with heapledger run -- "
                                          "CMD, or look at heapledger ps"));
}

using Snapshots = std::vector<std::shared_ptr<const LedgerSnapshot>>;

// A pid stands in the ledger's name: no other ledger need be opened.
Snapshots TakeByPid(const DiscoveryOptions& options, std::uint32_t pid) {
  Snapshots snapshots;
  for (const FoundLedger& found : DiscoverLedgers(options).ledgers) {
    if (found.name.pid != pid) continue;
    const auto descriptor = OpenLedgerFile(found.path, found.owner);
    if (!descriptor.ok()) continue;
    auto snapshot =
        TakeFrom(options, LedgerReader::Adopt(*descriptor, found.path));
    if (snapshot.ok()) snapshots.push_back(*std::move(snapshot));
  }
  return snapshots;
}

// The running one, else the one that began last; null if none fits.
std::shared_ptr<const LedgerSnapshot> BestOf(const Snapshots& snapshots,
                                             const std::string& what) {
  const auto rank = [](const LedgerSnapshot& snapshot) {
    return std::tuple(Runs(snapshot), snapshot.identity.start_time_ticks,
                      snapshot.identity.image);
  };
  std::shared_ptr<const LedgerSnapshot> best;
  for (const auto& snapshot : snapshots) {
    if (!Matches(*snapshot, what)) continue;
    if (best == nullptr || rank(*snapshot) > rank(*best)) best = snapshot;
  }
  return best;
}

absl::Status NotLive(const LedgerSnapshot& snapshot, const std::string& what) {
  if (snapshot.state == ProcessState::kOff) {
    return absl::FailedPreconditionError(
        absl::StrCat("pid ", snapshot.identity.pid,
                     " stopped measuring: ", OffReasonText(snapshot.off_reason),
                     "; ", OffReasonRemedy(snapshot.off_reason)));
  }
  return absl::FailedPreconditionError(
      absl::StrCat(what,
                   " does not run any more; read what it left with "
                   "heapledger report ",
                   what));
}

}  // namespace

bool Matches(const LedgerSnapshot& snapshot, const std::string& what) {
  std::uint32_t pid = 0;
  if (absl::SimpleAtoi(what, &pid)) return snapshot.identity.pid == pid;
  return snapshot.identity.Program() == what || snapshot.identity.comm == what;
}

absl::StatusOr<std::shared_ptr<const LedgerSnapshot>> TakeFile(
    const DiscoveryOptions& options, const std::string& path) {
  return TakeFrom(options, LedgerReader::Open(path));
}

absl::StatusOr<std::shared_ptr<const LedgerSnapshot>> FindLedger(
    const DiscoveryOptions& options, const std::string& what) {
  if (what.find('/') != std::string::npos || what.ends_with(".ledger")) {
    return TakeFile(options, what);
  }
  if (std::uint32_t pid = 0; absl::SimpleAtoi(what, &pid)) {
    if (auto best = BestOf(TakeByPid(options, pid), what)) return best;
  }
  const HostSnapshot host = HostLedgers(options).Take();
  const auto best = BestOf(host.ledgers, what);
  if (best != nullptr) return best;
  if (struct stat status; stat(what.c_str(), &status) == 0) {
    return TakeFile(options, what);
  }
  return NotFound(options, host, what);
}

absl::StatusOr<LiveLedger> FindLiveLedger(const DiscoveryOptions& options,
                                          const std::string& what) {
  const HostSnapshot host = HostLedgers(options).Take();
  std::vector<std::shared_ptr<const LedgerSnapshot>> fit;
  for (const auto& snapshot : host.ledgers) {
    if (Matches(*snapshot, what)) fit.push_back(snapshot);
  }
  if (fit.empty()) return NotFound(options, host, what);
  const auto last = fit.back();
  std::erase_if(fit, [](const auto& snapshot) { return !Runs(*snapshot); });
  if (fit.empty()) return NotLive(*last, what);
  if (fit.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", what, "' fits ", fit.size(), " running programs; give one pid of ",
        absl::StrJoin(fit, ", ", [](std::string* text, const auto& snapshot) {
          absl::StrAppend(text, snapshot->identity.pid);
        })));
  }
  const LedgerIdentity& who = fit[0]->identity;
  if (LivenessOf(options.proc_root, who) != Liveness::kAlive) {
    return absl::FailedPreconditionError(absl::StrCat(
        "pid ", who.pid,
        " cannot be seen from this pid namespace; ask from its own"));
  }
  Discovered discovered = DiscoverLedgers(options);
  const auto found =
      std::ranges::find(discovered.ledgers, fit[0]->path, &FoundLedger::path);
  if (found == discovered.ledgers.end()) {
    return absl::NotFoundError(
        absl::StrCat("the ledger of pid ", who.pid, " was removed meanwhile"));
  }
  return LiveLedger{fit[0], std::move(*found)};
}

std::vector<UnmeasuredProcess> UnmeasuredChildren(
    const DiscoveryOptions& options, const LedgerSnapshot& snapshot) {
  const std::filesystem::path directory =
      std::filesystem::path(snapshot.path).parent_path();
  if (directory.filename().string().starts_with("run-")) {
    DiscoveryOptions run = options;
    run.directory = directory.string();
    return FindUnmeasured(run, DiscoverLedgers(run),
                          UnmeasuredScan::kMarkersOnly);
  }
  std::vector<UnmeasuredProcess> children = FindUnmeasured(
      options, DiscoverLedgers(options), UnmeasuredScan::kMarkersAndMaps);
  std::erase_if(children, [&](const UnmeasuredProcess& process) {
    const auto stat = ReadProcessStat(options.proc_root, process.pid);
    return !process.alive || !stat || stat->parent_pid != snapshot.identity.pid;
  });
  return children;
}

}  // namespace heapledger::collector::cli
