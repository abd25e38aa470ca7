// SPDX-License-Identifier: Apache-2.0
// Keeps the baseline file of `collect` up to date: a thread of its own, as
// writing a file may take as long as a disk likes, and no sample of the ledgers
// shall wait for that. It looks at what the sampler has published.
//
// Thread safety: Start() and Stop() from one thread; the rest from any.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/baseline/learner.h"
#include "collector/exporter/baseline_collector.h"
#include "collector/exporter/host_source.h"
#include "collector/exporter/system_source.h"
#include "collector/leaks/host_leaks.h"

namespace heapledger::collector::cli {

struct BaselineKeeperOptions {
  std::string path;
  std::chrono::nanoseconds interval{std::chrono::seconds(15)};
  std::chrono::nanoseconds save_interval{std::chrono::seconds(60)};
  baseline::LearnerOptions learner;
};

class BaselineKeeper {
 public:
  // Goes on with the file where there is one. The sources must outlive this
  // object; `log` gets one sentence for every new problem.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<BaselineKeeper>> Make(
      const BaselineKeeperOptions& options, const HostSource* source,
      const SystemSource* system, const HostLeaks* leaks,
      std::function<void(const std::string&)> log);
  ~BaselineKeeper();

  void Start();
  // Writes the file a last time. Whether that was done within `patience`.
  [[nodiscard]] bool Stop(std::chrono::milliseconds patience);

  // Reads from this object, which must outlive what is given.
  [[nodiscard]] BaselineSource View();

 private:
  using Programs = std::vector<baseline::ProgramFigures>;

  BaselineKeeper(const BaselineKeeperOptions& options, const HostSource* source,
                 const SystemSource* system, const HostLeaks* leaks,
                 std::function<void(const std::string&)> log,
                 baseline::Baseline learned);

  void Run();
  void Look();
  // False while its ledger does not say how it ended.
  bool End(std::uint32_t pid, const HostView& view);
  void Save();
  void Publish(bool with_document);

  const BaselineKeeperOptions options_;
  const HostSource* const source_;
  const SystemSource* const system_;
  const HostLeaks* const leaks_;
  const std::function<void(const std::string&)> log_;

  // Of the thread alone, once it runs.
  baseline::Learner learner_;
  std::set<std::uint32_t> running_;  // pids
  std::uint64_t last_sample_ns_ = 0;
  std::string problem_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::shared_ptr<const Programs> figures_;
  std::shared_ptr<const std::string> document_;
  bool stopping_ = false;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace heapledger::collector::cli
