// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/obituary_keeper.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "collector/cli/process_facts.h"
#include "collector/logs/kmsg_source.h"
#include "collector/obituary/compose.h"
#include "collector/obituary/verdict.h"
#include "collector/obituary/words.h"
#include "collector/profile/hl_marks.h"
#include "collector/shm/process_identity.h"

namespace heapledger::collector::cli {
namespace {

// A report of the OOM killer has some hundred records of a hundred bytes each.
constexpr std::size_t kKmsgBytes = 1 << 20;
// Samples may come faster than anybody looks at a history.
constexpr std::chrono::milliseconds kFastestLook{100};

std::uint64_t RealtimeNs() {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(
          std::chrono::system_clock::now().time_since_epoch())
          .count());
}

std::uint64_t OwnPidNamespace() {
  struct stat status = {};
  return stat("/proc/self/ns/pid", &status) == 0 ? status.st_ino : 0;
}

bool Runs(const LedgerSnapshot& snapshot) {
  return snapshot.state == ProcessState::kLive ||
         snapshot.state == ProcessState::kStarting;
}

// When the ledger's file last grew: it lived then.
std::uint64_t LastWrittenNs(const std::string& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0 || status.st_mtim.tv_sec < 0) return 0;
  return static_cast<std::uint64_t>(status.st_mtim.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(status.st_mtim.tv_nsec);
}

// Not by path: an exec gives the ledger of the image before another.
std::string KeyOf(const LedgerIdentity& who) {
  return absl::StrCat(who.Key(), " ", who.pid_namespace, " ", who.boot_id);
}

ObituaryFigures NoFigures() {
  ObituaryFigures figures;
  for (const auto kind :
       {obituary::EndKind::kOomKill, obituary::EndKind::kCrash,
        obituary::EndKind::kSignal, obituary::EndKind::kExit,
        obituary::EndKind::kUnknown}) {
    figures.sealed[std::string(obituary::EndWord(kind))] = 0;
  }
  return figures;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ObituaryKeeper>> ObituaryKeeper::Make(
    const ObituaryKeeperOptions& options, const HostSource* source,
    const SystemSource* system, const HostLeaks* leaks, FrameNames* names,
    std::function<void(const std::string&)> log) {
  const absl::Status ready = obituary::PrepareStore(options.store.directory);
  if (!ready.ok()) return ready;
  return std::unique_ptr<ObituaryKeeper>(new ObituaryKeeper(
      options, source, system, leaks, names, std::move(log)));
}

ObituaryKeeper::ObituaryKeeper(const ObituaryKeeperOptions& options,
                               const HostSource* source,
                               const SystemSource* system,
                               const HostLeaks* leaks, FrameNames* names,
                               std::function<void(const std::string&)> log)
    : options_(options),
      source_(source),
      system_(system),
      leaks_(leaks),
      names_(names),
      log_(std::move(log)),
      pid_namespace_(OwnPidNamespace()),
      wake_descriptor_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      // From its start: what lies there dead may have been killed before we
      // came.
      kmsg_(logs::MakeKmsgSource(logs::ReadFrom::kStart)),
      events_(obituary::ExitEvents::Listen()),
      figures_(NoFigures()) {}

ObituaryKeeper::~ObituaryKeeper() {
  (void)Stop(std::chrono::milliseconds(0));
  if (thread_.joinable()) thread_.join();
  if (wake_descriptor_ >= 0) close(wake_descriptor_);
}

void ObituaryKeeper::Start() {
  thread_ = std::thread([this] { Run(); });
}

bool ObituaryKeeper::Stop(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  const std::uint64_t one = 1;
  (void)!write(wake_descriptor_, &one, sizeof one);
  return !thread_.joinable() ||
         wake_.wait_for(lock, patience, [this] { return ended_; });
}

ObituaryFigures ObituaryKeeper::figures() const {
  const std::lock_guard lock(mutex_);
  return figures_;
}

void ObituaryKeeper::Run() {
  const auto interval =
      std::max<std::chrono::nanoseconds>(options_.interval, kFastestLook);
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const Clock::time_point next = Clock::now() + interval;
    // Out of memory, most likely; the next look may do.
    try {
      Look();
      Wait(next);
    } catch (const std::exception& error) {
      LogOnce(std::string("keep obituaries: ") + error.what());
      std::this_thread::sleep_until(next);
    }
    lock.lock();
  }
  ended_ = true;
  wake_.notify_all();
}

// Until then, but for a look at each process that ends meanwhile: its status is
// there for as long as nobody has waited for it.
void ObituaryKeeper::Wait(Clock::time_point until) {
  for (Clock::time_point now = Clock::now(); now < until; now = Clock::now()) {
    std::vector<int> descriptors = {wake_descriptor_};
    exits_.AppendDescriptors(descriptors);
    std::vector<pollfd> waits;
    for (const int descriptor : descriptors) {
      waits.push_back({descriptor, POLLIN, 0});
    }
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - now).count();
    if (poll(waits.data(), waits.size(), static_cast<int>(left)) <= 0) continue;
    if (waits[0].revents != 0) return;
    exits_.Poll();
  }
}

void ObituaryKeeper::Look() {
  while (kmsg_->Poll(
      kKmsgBytes, [this](const logs::LogLine& line) { kernel_.Add(line); })) {
  }
  exits_.Poll();
  if (events_ != nullptr) events_->Take();
  const auto host = source_->host();
  // The sampler is slower than we are, or hangs.
  if (host->view->taken_monotonic_ns == last_sample_ns_) return;
  last_sample_ns_ = host->view->taken_monotonic_ns;
  const auto leaks = leaks_->view();
  for (auto& [key, entry] : entries_) entry.seen = false;
  for (const auto& process : host->view->processes) {
    Entry& entry = entries_[KeyOf(process->snapshot->identity)];
    entry.seen = true;
    LookAt(process, *leaks, entry);
  }
  LookAtVanished();
}

void ObituaryKeeper::LookAt(const std::shared_ptr<const ProcessView>& process,
                            const HostLeakView& leaks, Entry& entry) {
  const LedgerSnapshot& snapshot = *process->snapshot;
  const LedgerIdentity& who = snapshot.identity;
  if (Runs(snapshot)) {
    if (entry.life == nullptr) {
      entry.life = std::make_unique<obituary::Life>();
      if (who.pid_namespace == 0 || who.pid_namespace == pid_namespace_) {
        exits_.Add(who.pid, who.start_time_ticks);
      }
    }
    const auto system = system_->view();
    const auto suspects = leaks.find(snapshot.lineage);
    if (entry.life->Look(
            process, {RealtimeNs(), system,
                      suspects == leaks.end() ? nullptr : suspects->second})) {
      const obituary::PressureSample& sample = entry.life->pressure().back();
      log_(absl::StrCat(
          who.Program(), " (pid ", who.pid, ") uses ",
          absl::StrFormat("%.0f", 100 * sample.usage_ratio),
          " % of its limit of ",
          obituary::BytesText(static_cast<double>(sample.limit_bytes)),
          "; its callsites as of now are kept for its obituary"));
    }
  } else if (snapshot.state == ProcessState::kReplaced) {
    // The process goes on as another image, with a ledger of its own.
    entry.sealed = true;
    entry.life.reset();
  } else if (entry.noticed_ns == 0) {
    entry.noticed_ns = RealtimeNs();
  } else if (!entry.sealed && entry.last != nullptr &&
             entry.last->snapshot == process->snapshot) {
    // Looked at anew, a ledger of a process that may still write gives a new
    // snapshot; the same one twice is the last.
    Seal(*process, entry);
  }
  entry.last = process;
}

// A ledger that is gone took the last state along; what was seen last must do.
void ObituaryKeeper::LookAtVanished() {
  for (auto it = entries_.begin(); it != entries_.end();) {
    Entry& entry = it->second;
    if (entry.seen) {
      ++it;
      continue;
    }
    if (entry.last == nullptr) {  // out of memory at its first look
      it = entries_.erase(it);
      continue;
    }
    const LedgerIdentity who = entry.last->snapshot->identity;
    if (!entry.sealed && LivenessOf("/proc", who) == Liveness::kDead) {
      ProcessView view = *entry.last;
      auto snapshot = std::make_shared<LedgerSnapshot>(*view.snapshot);
      snapshot->state = JudgeState(snapshot->state, Liveness::kDead);
      view.snapshot = std::move(snapshot);
      Seal(view, entry);
      if (!entry.sealed) {  // the disk is full: it is tried again
        ++it;
        continue;
      }
    }
    exits_.Remove(who.pid, who.start_time_ticks);
    it = entries_.erase(it);
  }
}

bool ObituaryKeeper::AlreadySealed(const LedgerSnapshot& snapshot) const {
  const auto stored = obituary::ListStore(options_.store.directory);
  if (std::ranges::any_of(stored, [&](const auto& obituary) {
        return obituary.Of(snapshot.identity);
      })) {
    return true;
  }
  // One of old that was removed as the oldest of too many is not made again.
  return !obituary::WouldStay(
      options_.store, stored,
      std::max({LastWrittenNs(snapshot.path),
                snapshot.state_changed_realtime_ns,
                snapshot.identity.created_realtime_ns}));
}

void ObituaryKeeper::Seal(const ProcessView& view, Entry& entry) {
  if (Clock::now() < entry.next_try) return;
  const LedgerIdentity& who = view.snapshot->identity;
  if (entry.life == nullptr && AlreadySealed(*view.snapshot)) {
    entry.sealed = true;
    return;
  }
  const absl::Status written = Write(view, entry);
  if (written.ok() || absl::IsAlreadyExists(written)) {
    entry.sealed = true;
    entry.life.reset();
    exits_.Remove(who.pid, who.start_time_ticks);
    return;
  }
  entry.next_try = Clock::now() + options_.retry;
  LogOnce(std::string(written.message()));
  const std::lock_guard lock(mutex_);
  ++figures_.failed;
}

absl::Status ObituaryKeeper::Write(const ProcessView& view,
                                   const Entry& entry) {
  const LedgerSnapshot& snapshot = *view.snapshot;
  const LedgerIdentity& who = snapshot.identity;
  obituary::DeathFacts facts;
  facts.snapshot = &snapshot;
  facts.marks = ListMarks(snapshot);
  facts.sealed_by = "heapledger " HEAPLEDGER_VERSION;
  facts.host_after = obituary::HostStateOf(*system_->view());
  facts.life = entry.life.get();
  facts.seen_to_die = entry.life != nullptr;
  facts.noticed_ns = entry.noticed_ns != 0 ? entry.noticed_ns : RealtimeNs();
  facts.alive_at_least_ns =
      std::max(LastWrittenNs(snapshot.path),
               entry.life != nullptr ? entry.life->last_look_ns() : 0);
  if (kmsg_->state().problem.empty()) facts.kernel = &kernel_;
  auto seen = exits_.Find(who.pid, who.start_time_ticks);
  const bool told = events_ != nullptr && (who.pid_namespace == 0 ||
                                           who.pid_namespace == pid_namespace_);
  if ((!seen || !seen->wait) && told) {
    const auto event = events_->Find(who.pid, who.created_realtime_ns);
    if (event) {
      seen = event;
      facts.seen_to_die = true;
    }
  }
  if (seen) {
    facts.noticed_ns = seen->noticed_ns;
    facts.wait = seen->wait;
  }
  // A copy: where the disk is full this comes again.
  std::optional<obituary::Life> life;
  if (entry.life != nullptr) {
    life = *entry.life;
    life->AddLast(view, facts.noticed_ns);
    facts.life = &*life;
  }
  const obituary::Obituary obituary = obituary::Compose(facts, *names_);
  HlWriteOptions write;
  write.names = names_;
  write.written_by = facts.sealed_by;
  write.marks = facts.marks;
  write.more_facts["system"] = SystemFacts(snapshot);
  write.others = obituary::Sections(
      obituary, life ? life->EncodedHistory() : obituary::Series().Encode());
  const auto bytes = WriteHl(snapshot, write);
  if (!bytes.ok()) return bytes.status();
  const auto path = obituary::WriteToStore(options_.store, who,
                                           obituary.died_realtime_ns, *bytes);
  if (!path.ok()) return path.status();
  if (obituary.ending.kind != obituary::EndKind::kExit) {
    constexpr std::size_t kNamed = 1;
    log_(absl::StrCat(
        obituary::Verdict(snapshot, obituary, obituary::TopOf(view, kNamed)),
        "; see heapledger postmortem ", *path));
  }
  const std::lock_guard lock(mutex_);
  ++figures_.sealed[std::string(obituary::EndWord(obituary.ending.kind))];
  figures_.last_death_ns =
      std::max(figures_.last_death_ns, obituary.died_realtime_ns);
  return absl::OkStatus();
}

void ObituaryKeeper::LogOnce(const std::string& problem) {
  if (problem != problem_) log_(problem);
  problem_ = problem;
}

}  // namespace heapledger::collector::cli
