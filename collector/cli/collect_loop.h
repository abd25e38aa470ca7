// SPDX-License-Identifier: Apache-2.0
// The sampler of `heapledger collect`: a thread that looks at every ledger once
// an interval and publishes what it found. Symbols are read here, off every
// scrape's path.
//
// Thread safety: Start() and Stop() from one thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "collector/exporter/host_source.h"
#include "collector/leaks/host_leaks.h"
#include "collector/ledger/host_accounts.h"
#include "collector/shm/host_ledgers.h"
#include "collector/tags/tagger.h"

namespace heapledger::collector::cli {

struct CollectLoopOptions {
  DiscoveryOptions discovery;
  AccountOptions accounts;
  std::shared_ptr<const TagRules> tag_rules;  // may be null
  std::chrono::nanoseconds interval{std::chrono::seconds(1)};
  // Between two searches of all processes' maps for the shim, which cost far
  // more than a sample.
  std::chrono::nanoseconds maps_interval{std::chrono::seconds(10)};
};

class CollectLoop {
 public:
  // `log` gets one sentence for every new problem. `source` and `leaks` must
  // outlive this object.
  CollectLoop(const CollectLoopOptions& options, HostSource* source,
              HostLeaks* leaks, std::function<void(const std::string&)> log);
  ~CollectLoop();

  // Of any thread; what one process' lookup learns serves all.
  [[nodiscard]] FrameNames* names() { return names_.get(); }

  void Start();

  // Whether the thread ended within `patience`; a first look at a large program
  // cannot be interrupted.
  [[nodiscard]] bool Stop(std::chrono::milliseconds patience);

 private:
  void Run();
  void Sample();
  void LogNew(const std::vector<std::string>& problems);

  const CollectLoopOptions options_;
  HostSource* const source_;
  HostLeaks* const leaks_;
  const std::function<void(const std::string&)> log_;

  std::unique_ptr<FrameNames> names_;

  // Of the thread alone.
  HostLedgers ledgers_;
  HostTagger tagger_;
  HostAccounts accounts_;
  std::vector<UnmeasuredProcess> unmeasured_;  // of the last search of maps
  std::chrono::steady_clock::time_point next_maps_{};
  std::unordered_set<std::string> logged_;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace heapledger::collector::cli
