// SPDX-License-Identifier: Apache-2.0
// The response of `heapledger collect` to pressure: looks at the programs that
// rules fit five times a second, and at once when the kernel or Alertmanager
// says something; has orders carried out by threads of their own.
//
// Thread safety: Start() and Stop() from one thread; the rest from any.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "collector/cli/ledger_control.h"
#include "collector/cli/response_options.h"
#include "collector/cli/response_reader.h"
#include "collector/exporter/worker_pool.h"
#include "collector/response/action_runner.h"
#include "collector/response/engine.h"
#include "collector/response/pressure_watch.h"
#include "collector/response/webhook.h"

namespace heapledger::collector::cli {

class ResponseLoop {
 public:
  // What undoing may take when the collector ends.
  static constexpr std::chrono::milliseconds kUndoPatience{5000};

  // The pointers must outlive this object; `log` gets a sentence for whatever
  // happens.
  ResponseLoop(ResponsePlan plan, const HostSource* source,
               const SystemSource* system, const HostLeaks* leaks,
               DiscoveryOptions discovery, FrameNames* names,
               std::function<void(const std::string&)> log);
  ~ResponseLoop();

  void Start();
  // Undoes what was changed. Whether all of it was within `patience`.
  [[nodiscard]] bool Stop(std::chrono::milliseconds patience);

  // Never null.
  [[nodiscard]] std::shared_ptr<const response::ResponseView> view() const;
  [[nodiscard]] response::Webhook& webhook() { return webhook_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Ended {
    std::uint64_t order;
    response::Outcome outcome;
  };

  void Run();
  void Look();
  void Handle(response::Engine::Turn turn);
  void Carry(response::Order order);
  void TakeIn();
  void UndoAll();
  bool TakeAlert(const response::Alert& alert);

  const std::function<void(const std::string&)> log_;
  LedgerControl control_;
  const response::ActionRunner runner_;
  response::PressureWatch watch_;

  // Of the thread alone.
  response::Engine engine_;
  ResponseReader reader_;
  const response::Rules rules_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Ended> ended_;
  std::vector<response::Alert> alerts_;
  std::shared_ptr<const response::ResponseView> view_;
  bool stopping_ = false;
  bool done_ = false;

  response::Webhook webhook_;
  WorkerPool workers_;
  std::thread thread_;
};

}  // namespace heapledger::collector::cli
