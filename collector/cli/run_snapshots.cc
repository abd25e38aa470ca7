// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/run_snapshots.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "collector/cli/find_ledger.h"
#include "collector/cli/heap_writer.h"
#include "collector/cli/output.h"
#include "collector/shm/discovery.h"

namespace heapledger::collector::cli {
namespace {

constexpr std::chrono::milliseconds kPeakInterval{20};
constexpr std::chrono::milliseconds kPlainInterval{1000};
// Between two searches for new processes.
constexpr std::chrono::milliseconds kSearchInterval{200};
// After a look at the counters nothing is looked at for that many times what
// it took: a program with many callsites must not pay for the search.
constexpr int kRestPerLook = 10;

DiscoveryOptions Only(const std::string& directory) {
  DiscoveryOptions options;
  options.uid = geteuid();
  options.directory = directory;
  return options;
}

}  // namespace

absl::StatusOr<std::chrono::nanoseconds> ParseInterval(
    const std::string& text) {
  absl::Duration duration;
  if (!absl::ParseDuration(text, &duration) || duration < absl::Seconds(1) ||
      duration > absl::Hours(24 * 365)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text,
                     "' is no interval of a second or more; give one such as "
                     "30s, 5m or 1h30m"));
  }
  return absl::ToChronoNanoseconds(duration);
}

RunSnapshots::RunSnapshots(const SnapshotPlan& plan,
                           const std::string& directory)
    : plan_(plan), directory_(directory) {
  if (plan_.every) next_of_many_ = Clock::now() + *plan_.every;
}

absl::StatusOr<RunSnapshots> RunSnapshots::Create(
    const SnapshotPlan& plan, const std::string& directory) {
  RunSnapshots snapshots(plan, directory);
  auto format = FileFormatFor(snapshots.Base(), "");
  if (!format.ok()) return format.status();
  snapshots.format_ = *format;
  const auto name = ExpandName(snapshots.Base(), NameFields(), 1);
  if (!name.ok()) return name.status();
  return snapshots;
}

std::chrono::milliseconds RunSnapshots::interval() const {
  return plan_.at_peak ? kPeakInterval : kPlainInterval;
}

std::string RunSnapshots::Base() const {
  return plan_.output.empty() ? kDefaultOutput : plan_.output;
}

bool RunSnapshots::Wants(std::uint32_t pid, pid_t root) const {
  const bool each = !plan_.output.empty() && NamesEachProcess(plan_.output);
  return each || pid == static_cast<std::uint32_t>(root);
}

void RunSnapshots::Tick(pid_t root) {
  Reap();
  if (plan_.at_peak) LookForPeaks(root);
  if (plan_.every && Clock::now() >= next_of_many_ && writer_ == 0) {
    next_of_many_ = Clock::now() + *plan_.every;
    TakeOneOfMany(root);
  }
}

void RunSnapshots::LookForPeaks(pid_t root) {
  const Clock::time_point now = Clock::now();
  if (now >= next_search_) {
    next_search_ = now + kSearchInterval;
    for (const FoundLedger& found : DiscoverLedgers(Only(directory_)).ledgers) {
      if (!Wants(found.name.pid, root)) continue;
      Watched& watched = watched_[absl::StrCat(found.inode)];
      if (watched.reader != nullptr) continue;
      auto reader = LedgerReader::Open(found.path);
      if (reader.ok()) watched.reader = *std::move(reader);
    }
  }
  for (auto& [inode, watched] : watched_) {
    if (watched.reader != nullptr && now >= watched.next) LookAt(watched);
  }
}

void RunSnapshots::LookAt(Watched& watched) {
  const auto live = watched.reader->LiveBytes();
  if (!live.ok()) return;
  if (watched.highest != nullptr &&
      *live <= watched.highest->totals.live_bytes()) {
    return;
  }
  const Clock::time_point begin = Clock::now();
  auto snapshot = watched.reader->Take();
  if (!snapshot.ok()) return;
  if (watched.highest == nullptr ||
      snapshot->totals.live_bytes() > watched.highest->totals.live_bytes()) {
    snapshot->state = ProcessState::kLive;
    watched.highest =
        std::make_shared<const LedgerSnapshot>(*std::move(snapshot));
  }
  const Clock::time_point end = Clock::now();
  watched.next = end + kRestPerLook * (end - begin);
}

void RunSnapshots::TakeOneOfMany(pid_t root) {
  const auto snapshot = FindLedger(Only(directory_), absl::StrCat(root));
  if (!snapshot.ok()) return;
  const std::string number =
      absl::StrCat("-", absl::Dec(++number_, absl::kZeroPad4));
  const auto name = ExpandName(BeforeExtension(Base(), number),
                               NameFields::Of(**snapshot), number_);
  if (!name.ok()) return;
  writer_ = fork();
  if (writer_ < 0) {
    writer_ = 0;
    return;
  }
  if (writer_ == 0) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    (void)!nice(10);
    const std::string said = Write(*snapshot, EscapedName(*name));
    const bool written = said.starts_with("wrote");
    if (!written) {
      std::fprintf(stderr, "heapledger: run: %s\n", said.c_str());
    }
    _exit(written ? 0 : 1);
  }
  of_many_.push_back(*name);
  if (of_many_.size() > plan_.keep) {
    unlink(of_many_.front().c_str());
    of_many_.pop_front();
  }
}

void RunSnapshots::Reap() {
  if (writer_ == 0 || waitpid(writer_, nullptr, WNOHANG) == 0) return;
  writer_ = 0;
}

std::string RunSnapshots::Write(
    const std::shared_ptr<const LedgerSnapshot>& snapshot,
    const std::string& pattern, const nlohmann::ordered_json& more_facts) {
  Heap heap;
  heap.snapshot = snapshot;
  const auto bytes =
      EncodeHeap(heap, format_, WriteOptions(), &symbols_, more_facts);
  if (!bytes.ok()) return std::string(bytes.status().message());
  const auto path =
      WriteOutput(pattern, NameFields::Of(*snapshot), *bytes, plan_.overwrite);
  if (!path.ok()) return std::string(path.status().message());
  return absl::StrCat("wrote ", *path, " (", HumanBytes(bytes->size()), ")");
}

void RunSnapshots::BeforeRemoval(const std::string& path) {
  if (plan_.output.empty() || !NamesEachProcess(plan_.output)) return;
  const auto snapshot = TakeFile(Only(directory_), path);
  if (snapshot.ok()) (void)Write(*snapshot, plan_.output);
}

std::string RunSnapshots::WritePeak(const Watched& watched,
                                    const LedgerSnapshot& at_the_end) {
  const std::uint64_t seen = watched.highest->totals.live_bytes();
  nlohmann::ordered_json facts;
  facts["peak"] = {{"seen_live_bytes", seen},
                   {"exact_live_bytes", at_the_end.peak_live_bytes}};
  const std::string said =
      Write(watched.highest, BeforeExtension(Base(), "-peak"), facts);
  if (!said.starts_with("wrote")) return said;
  return absl::StrCat(said, " of ", HumanBytes(seen),
                      " live; the exact peak was ",
                      HumanBytes(at_the_end.peak_live_bytes));
}

std::vector<std::string> RunSnapshots::Finish(pid_t root) {
  if (writer_ != 0) waitpid(writer_, nullptr, 0);
  std::vector<std::string> said;
  if (!of_many_.empty()) {
    said.push_back(absl::StrCat("wrote ", number_, " snapshots, kept ",
                                of_many_.size(), ", the last ",
                                of_many_.back()));
  }
  for (const FoundLedger& found : DiscoverLedgers(Only(directory_)).ledgers) {
    // An image that was replaced by exec has no end of its own.
    if (!Wants(found.name.pid, root) || found.name.replaced_image) continue;
    const auto snapshot = TakeFile(Only(directory_), found.path);
    if (!snapshot.ok()) continue;
    if (!plan_.output.empty()) {
      said.push_back(Write(*snapshot, plan_.output));
    }
    if (!plan_.at_peak) continue;
    Watched& watched = watched_[absl::StrCat(found.inode)];
    // The end may be the highest moment, and of a short run the only one.
    if (watched.highest == nullptr ||
        (*snapshot)->totals.live_bytes() >
            watched.highest->totals.live_bytes()) {
      watched.highest = *snapshot;
    }
    said.push_back(WritePeak(watched, **snapshot));
  }
  return said;
}

}  // namespace heapledger::collector::cli
