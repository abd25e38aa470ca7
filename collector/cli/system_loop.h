// SPDX-License-Identifier: Apache-2.0
// The second sampler of `heapledger collect`: looks at the host and at every
// target once an interval and publishes what it found. It has a thread of its
// own, so that a first look at a large program's symbols, which can take
// minutes, does not blind the watch over its memory.
//
// Thread safety: Start() and Stop() from one thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "collector/exporter/host_source.h"
#include "collector/exporter/python_source.h"
#include "collector/exporter/system_source.h"
#include "collector/leaks/resident_trends.h"
#include "collector/python/watch.h"
#include "collector/system/system_sampler.h"

namespace heapledger::collector::cli {

class SystemLoop {
 public:
  // `log` gets a sentence on a problem. The sources and `trends` must outlive
  // this object.
  SystemLoop(SystemSampler sampler, std::chrono::nanoseconds interval,
             const HostSource* measured, SystemSource* source,
             ResidentTrends* trends,
             std::function<void(const std::string&)> log);
  ~SystemLoop() { Stop(); }

  // Has the interpreters of all targets looked at, too. Before Start().
  void WatchPython(PythonSource* source) { python_ = source; }

  void Start();
  // Waits for the sample that is under way: some hundred milliseconds at most.
  void Stop();

 private:
  void Run();
  void Sample();
  void LookAtPython(const SystemView& view,
                    SystemSampler::Clock::time_point now);

  SystemSampler sampler_;  // of the thread alone
  const std::chrono::nanoseconds interval_;
  const HostSource* const measured_;
  SystemSource* const source_;
  ResidentTrends* const trends_;
  const std::function<void(const std::string&)> log_;
  PythonSource* python_ = nullptr;
  python::Watch python_watch_;  // of the thread alone

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace heapledger::collector::cli
