// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/thread_cases.h"

#include <sched.h>

#include <atomic>
#include <barrier>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "tests/bench/deep_stack.h"
#include "tests/bench/live_set.h"

namespace heapledger::bench {
namespace {

constexpr int kDepth = 15;
constexpr std::size_t kBlocks = 1 << 10;

// Threads that wait for work and stay: with new ones for each run, the C
// library would hand them each other's arenas.
class Crew {
 public:
  explicit Crew(int threads)
      : start_(threads + 1), end_(threads + 1), spent_(threads) {
    for (Spent& spent : spent_) {
      threads_.emplace_back([this, &spent] { Work(spent); });
    }
  }
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  ~Crew() {
    pairs_ = 0;
    start_.arrive_and_wait();
    for (std::thread& thread : threads_) thread.join();
  }

  // Each thread does that many. Returns the mean of what they took.
  double Run(std::uint64_t pairs) {
    pairs_ = pairs;
    start_.arrive_and_wait();
    end_.arrive_and_wait();
    double sum = 0;
    for (const Spent& spent : spent_) sum += spent.nanoseconds;
    return sum / static_cast<double>(spent_.size());
  }

 private:
  struct alignas(kApart) Spent {
    double nanoseconds = 0;
  };

  void Work(Spent& spent) {
    LiveSet set(kBlocks);
    for (;;) {
      start_.arrive_and_wait();
      if (pairs_ == 0) return;
      set.pairs = pairs_;
      const double start = ThreadCpuNanoseconds();
      RunAtDepth(kDepth, &RepeatingPairs, set);
      spent.nanoseconds = ThreadCpuNanoseconds() - start;
      end_.arrive_and_wait();
    }
  }

  std::barrier<> start_;
  std::barrier<> end_;
  std::uint64_t pairs_ = 0;
  std::vector<Spent> spent_;
  std::vector<std::thread> threads_;
};

// A ring of batches from a thread that allocates to one that frees. Each side
// counts its CPU time by the batch and without its waiting.
class Pipe {
 public:
  double Run(std::uint64_t pairs) {
    batches_ = pairs / kBatch;
    filled_.value = drained_.value = 0;
    filled_.nanoseconds = drained_.nanoseconds = 0;
    std::thread consumer(
        [this] { RunAtDepth(kDepth, &Pipe::DrainAll, *this); });
    std::thread producer([this] { RunAtDepth(kDepth, &Pipe::FillAll, *this); });
    producer.join();
    consumer.join();
    return filled_.nanoseconds + drained_.nanoseconds;
  }

 private:
  static constexpr std::uint64_t kBatch = 256;
  static constexpr std::uint64_t kBatches = 8;

  struct alignas(kApart) Batch {
    void* blocks[kBatch];
  };
  struct alignas(kApart) Side {
    std::atomic<std::uint64_t> value = 0;  // batches done
    double nanoseconds = 0;
  };

  HEAPLEDGER_FRAME static void FillAll(Pipe& pipe) {
    std::uint64_t random = 88172645463325252;
    for (std::uint64_t at = 0; at < pipe.batches_; ++at) {
      // Acquire: pairs with the release of DrainAll, as the batch is reused.
      while (at - pipe.drained_.value.load(std::memory_order_acquire) ==
             kBatches) {
        sched_yield();
      }
      const double start = ThreadCpuNanoseconds();
      for (void*& block : pipe.ring_[at % kBatches].blocks) {
        random = random * 6364136223846793005 + 1442695040888963407;
        block = std::malloc(LiveSet::Size(random));
      }
      pipe.filled_.nanoseconds += ThreadCpuNanoseconds() - start;
      // Release: hands the batch to DrainAll.
      pipe.filled_.value.store(at + 1, std::memory_order_release);
    }
  }

  HEAPLEDGER_FRAME static void DrainAll(Pipe& pipe) {
    for (std::uint64_t at = 0; at < pipe.batches_; ++at) {
      // Acquire: pairs with the release of FillAll.
      while (pipe.filled_.value.load(std::memory_order_acquire) == at) {
        sched_yield();
      }
      const double start = ThreadCpuNanoseconds();
      for (void* block : pipe.ring_[at % kBatches].blocks) std::free(block);
      pipe.drained_.nanoseconds += ThreadCpuNanoseconds() - start;
      // Release: gives the batch back to FillAll.
      pipe.drained_.value.store(at + 1, std::memory_order_release);
    }
  }

  std::uint64_t batches_ = 0;
  Side filled_;
  Side drained_;
  Batch ring_[kBatches];
};

}  // namespace

void ThreadCases(Measurements& results) {
  for (const int threads : {1, 2}) {
    const std::string name = "threads_" + std::to_string(threads);
    if (!results.WantsAny({name.c_str()})) continue;
    Crew crew(threads);
    results.Measure(name, [&](std::uint64_t pairs) { return crew.Run(pairs); });
  }
  const auto pipe = std::make_unique<Pipe>();
  results.Measure("cross_thread_free",
                  [&](std::uint64_t pairs) { return pipe->Run(pairs); });
}

}  // namespace heapledger::bench
