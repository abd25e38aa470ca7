// SPDX-License-Identifier: Apache-2.0
#include "collector/cli/gate_round.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "collector/cli/elf_facts.h"
#include "collector/cli/gate_tree.h"
#include "collector/shm/clock.h"
#include "collector/shm/discovery.h"
#include "collector/shm/host_ledgers.h"
#include "collector/shm/process_identity.h"
#include "collector/tags/tagger.h"

namespace heapledger::collector::cli {
namespace {

// The shim itself clears a directory of 256 entries of the dead among them.
constexpr std::size_t kManyLedgers = 60;
constexpr std::size_t kFewPrograms = 30;
constexpr std::uint64_t kLookNs = 100'000'000;

bool Runs(const LedgerName& name) {
  const auto stat = ReadProcessStat("/proc", name.pid);
  return stat && stat->start_time_ticks == name.start_time_ticks &&
         stat->run_state != 'Z';
}

class RoundRunner {
 public:
  RoundRunner(const RoundPlan& plan, const RunDirectory& directory,
              FrameNames& names)
      : plan_(plan), names_(names), maker_(names, plan.callsites) {
    discovery_.uid = geteuid();
    discovery_.directory = directory.path();
  }

  RoundOutcome Run() {
    RoundOutcome outcome;
    outcome.child =
        RunChild(plan_.command, plan_.environment,
                 {[this](pid_t) { Look(); }, tree_.every(), tree_.wake()});
    if (outcome.child.start_error != 0) return outcome;
    root_pid_ = static_cast<std::uint32_t>(outcome.child.pid);
    AwaitTheRest();
    tree_.Look();
    TakeLedgers();
    Conclude(outcome);
    return outcome;
  }

 private:
  void Look() {
    tree_.Look();
    const std::uint64_t now = ClockNs(CLOCK_MONOTONIC);
    if (now < next_look_ns_ && tree_.started() < next_look_started_) return;
    next_look_ns_ = now + kLookNs;
    next_look_started_ = tree_.started() + kFewPrograms;
    if (DiscoverLedgers(discovery_).ledgers.size() > kManyLedgers) MakeRoom();
  }

  // Judges those whose process is gone, and removes them.
  void MakeRoom() {
    HostLedgers reader(discovery_);
    for (const auto& snapshot : reader.Take(kMarkers).ledgers) {
      const LedgerIdentity& identity = snapshot->identity;
      if (Runs({LedgerName::Kind::kLedger,
                identity.pid,
                identity.start_time_ticks,
                {}}) &&
          snapshot->state != ProcessState::kReplaced) {
        continue;
      }
      // All that the kernel has to tell of a dead process comes before this.
      tree_.Look();
      Add(snapshot, kNotTheRoot);
      unlink(snapshot->path.c_str());
    }
  }

  void Add(const std::shared_ptr<const LedgerSnapshot>& snapshot,
           std::uint32_t root_pid) {
    const auto tagged = Tagger(plan_.tag_rules, &names_).Apply(snapshot);
    maker_.Add(*tagged, root_pid, tree_.Note(*snapshot));
  }

  void AwaitTheRest() {
    const std::uint64_t deadline =
        ClockNs(CLOCK_MONOTONIC) +
        static_cast<std::uint64_t>(plan_.wait_ms) * 1'000'000;
    const auto anything_runs = [this] {
      tree_.Look();
      if (tree_.AnythingRuns()) return true;
      return std::ranges::any_of(
          DiscoverLedgers(discovery_).ledgers, [](const FoundLedger& found) {
            return !found.name.replaced_image && Runs(found.name);
          });
    };
    while (anything_runs() && ClockNs(CLOCK_MONOTONIC) < deadline) {
      constexpr timespec kPause = {0, 5'000'000};
      nanosleep(&kPause, nullptr);
    }
  }

  void TakeLedgers() {
    HostLedgers reader(discovery_);
    host_ = reader.Take(kMarkers);
    for (const auto& snapshot : host_.ledgers) {
      Add(snapshot, root_pid_);
    }
    for (const std::string& problem : host_.problems) {
      maker_.AddMissing({0, "", problem});
    }
  }

  void Conclude(RoundOutcome& outcome) {
    const auto path = FindProgram(plan_.command[0]);
    for (gate::MissingImage& missing :
         tree_.Missing(host_.unmeasured, {root_pid_, path.ok() ? *path : ""})) {
      maker_.AddMissing(std::move(missing));
    }
    outcome.round = maker_.Take(outcome.child.status);
    outcome.round.remarks = tree_.Remarks();
    CheckRoot(outcome.round);
  }

  // Without the kernel's word on processes, the command itself is the one that
  // must not be missed.
  void CheckRoot(gate::Round& round) const {
    const auto is_root = [this](const auto& seen) {
      return seen.pid == root_pid_;
    };
    if (std::ranges::any_of(round.images, is_root) ||
        std::ranges::any_of(round.missing, is_root)) {
      return;
    }
    const auto path = FindProgram(plan_.command[0]);
    round.missing.push_back({root_pid_, std::string(BaseName(plan_.command[0])),
                             WhyWithoutLedger(path.ok() ? *path : "")});
  }

  // The command outlives the ledgers that are taken before its end.
  static constexpr std::uint32_t kNotTheRoot = 0;
  static constexpr UnmeasuredScan kMarkers = UnmeasuredScan::kMarkersOnly;

  const RoundPlan& plan_;
  FrameNames& names_;
  GateTree tree_;
  gate::RoundMaker maker_;
  DiscoveryOptions discovery_;
  HostSnapshot host_;
  std::uint64_t next_look_ns_ = 0;
  std::size_t next_look_started_ = kFewPrograms;
  std::uint32_t root_pid_ = 0;
};

}  // namespace

RoundOutcome RunRound(const RoundPlan& plan, const RunDirectory& directory,
                      FrameNames& names) {
  return RoundRunner(plan, directory, names).Run();
}

}  // namespace heapledger::collector::cli
