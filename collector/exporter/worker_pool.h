// SPDX-License-Identifier: Apache-2.0
// A few threads that run what would hold up the I/O thread: rendering and
// compressing a scrape. The queue is bounded, as a burst of requests must turn
// into refusals, not into memory.
//
// Thread safety: all members may be called from any thread.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace heapledger::collector {

class WorkerPool {
 public:
  WorkerPool(std::size_t threads, std::size_t queue_limit);
  ~WorkerPool();

  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Says no if the queue is full or the pool has stopped. `job` must not throw.
  [[nodiscard]] bool TrySubmit(std::function<void()> job);

  // Drops what is queued and waits for what runs.
  void Stop();

 private:
  void Run();

  const std::size_t queue_limit_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace heapledger::collector
