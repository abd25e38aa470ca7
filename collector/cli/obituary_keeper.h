// SPDX-License-Identifier: Apache-2.0
// Seals the obituaries of `collect`: a thread of its own, as a disk may be slow
// and no sample shall wait for it. It follows what the samplers publish, keeps
// of every process what its obituary will need, and writes that when the
// process is gone and its ledger says its last.
//
// Thread safety: Start() and Stop() from one thread; figures() from any.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collector/exporter/host_source.h"
#include "collector/exporter/obituary_collector.h"
#include "collector/exporter/system_source.h"
#include "collector/leaks/host_leaks.h"
#include "collector/logs/log_source.h"
#include "collector/obituary/exit_events.h"
#include "collector/obituary/exit_watch.h"
#include "collector/obituary/life.h"
#include "collector/obituary/oom_report.h"
#include "collector/obituary/store.h"

namespace heapledger::collector::cli {

struct ObituaryKeeperOptions {
  obituary::StoreOptions store;
  std::chrono::nanoseconds interval{std::chrono::seconds(1)};
  // Until a full disk is tried again.
  std::chrono::nanoseconds retry{std::chrono::seconds(15)};
};

class ObituaryKeeper {
 public:
  // The sources must outlive this object. `log` gets a sentence for every death
  // that was no exit, for memory that runs short, and for every new problem.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<ObituaryKeeper>> Make(
      const ObituaryKeeperOptions& options, const HostSource* source,
      const SystemSource* system, const HostLeaks* leaks, FrameNames* names,
      std::function<void(const std::string&)> log);
  ~ObituaryKeeper();

  void Start();
  // Whether the thread ended within `patience`. What is not sealed yet is
  // sealed from its ledger when a collector starts again.
  [[nodiscard]] bool Stop(std::chrono::milliseconds patience);

  [[nodiscard]] ObituaryFigures figures() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Entry {                              // of a ledger
    std::unique_ptr<obituary::Life> life;     // null: never seen to run
    std::shared_ptr<const ProcessView> last;  // of the look before
    std::uint64_t noticed_ns = 0;  // Unix time of the first look at it dead
    bool sealed = false;
    bool seen = false;
    Clock::time_point next_try{};
  };

  ObituaryKeeper(const ObituaryKeeperOptions& options, const HostSource* source,
                 const SystemSource* system, const HostLeaks* leaks,
                 FrameNames* names,
                 std::function<void(const std::string&)> log);

  void Run();
  void Wait(Clock::time_point until);
  void Look();
  void LookAt(const std::shared_ptr<const ProcessView>& process,
              const HostLeakView& leaks, Entry& entry);
  void LookAtVanished();
  void Seal(const ProcessView& view, Entry& entry);
  absl::Status Write(const ProcessView& view, const Entry& entry);
  [[nodiscard]] bool AlreadySealed(const LedgerSnapshot& snapshot) const;
  void LogOnce(const std::string& problem);

  const ObituaryKeeperOptions options_;
  const HostSource* const source_;
  const SystemSource* const system_;
  const HostLeaks* const leaks_;
  FrameNames* const names_;
  const std::function<void(const std::string&)> log_;
  const std::uint64_t pid_namespace_;  // ours
  const int wake_descriptor_;          // readable: stop

  // Of the thread alone, once it runs.
  std::map<std::string, Entry> entries_;  // by identity
  std::unique_ptr<logs::LogSource> kmsg_;
  obituary::KernelDeaths kernel_;
  obituary::ExitWatch exits_;
  std::unique_ptr<obituary::ExitEvents> events_;  // null: not told
  std::uint64_t last_sample_ns_ = 0;
  std::string problem_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  ObituaryFigures figures_;
  bool stopping_ = false;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace heapledger::collector::cli
