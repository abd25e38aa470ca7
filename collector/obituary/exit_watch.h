// SPDX-License-Identifier: Apache-2.0
// How processes end that are none of our children, as far as the kernel tells:
// a pidfd says when a process ends and, since Linux 6.15 (PIDFD_GET_INFO with
// PIDFD_INFO_EXIT), with which status once its parent has waited for it; until
// then /proc/PID/stat of the zombie has it, for who may look.
//
// Costs a descriptor per process. Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "collector/obituary/ending.h"

namespace heapledger::collector::obituary {

struct SeenExit {
  std::uint64_t noticed_ns = 0;  // Unix time
  std::optional<WaitStatus> wait;
};

class ExitWatch {
 public:
  // Descriptors that are held at most; further processes are not watched.
  static constexpr std::size_t kMaxWatched = 1024;

  ExitWatch() = default;
  ~ExitWatch();
  ExitWatch(const ExitWatch&) = delete;
  ExitWatch& operator=(const ExitWatch&) = delete;

  // A pid of our own namespace. A process that is gone, or another one by now,
  // is not watched.
  void Add(std::uint32_t pid, std::uint64_t start_time_ticks);
  void Remove(std::uint32_t pid, std::uint64_t start_time_ticks);

  // Descriptors that become readable when a process ends that runs yet.
  void AppendDescriptors(std::vector<int>& descriptors) const;
  // Looks which have ended, and asks again for those whose status is missing.
  void Poll();

  // None while the process runs, or was never watched.
  [[nodiscard]] std::optional<SeenExit> Find(
      std::uint32_t pid, std::uint64_t start_time_ticks) const;

 private:
  using Key = std::pair<std::uint32_t, std::uint64_t>;  // pid, start time
  struct Entry {
    int descriptor = -1;
    std::optional<SeenExit> exit;
  };

  static void Ask(const Key& key, Entry& entry);

  std::map<Key, Entry> entries_;
};

}  // namespace heapledger::collector::obituary
