// SPDX-License-Identifier: Apache-2.0
// The status of every process that ends, as the kernel tells root in the first
// namespaces (the process connector of netlink): for kernels before 6.15, whose
// pidfds do not say how a process ended, and for processes that were gone
// before a sampler saw them.
//
// Since Linux 6.6 only ends are asked for; before, starts come along and are
// passed over. Thread safety: one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "collector/obituary/ending.h"
#include "collector/obituary/exit_watch.h"

namespace heapledger::collector::obituary {

class ExitEvents {
 public:
  // Ends that are remembered: at a thousand a second, those of four seconds.
  static constexpr std::size_t kMaxRemembered = 4096;

  // Null where the kernel does not tell us.
  [[nodiscard]] static std::unique_ptr<ExitEvents> Listen();
  ~ExitEvents();
  ExitEvents(const ExitEvents&) = delete;
  ExitEvents& operator=(const ExitEvents&) = delete;

  // Remembers what came since the last time.
  void Take();

  // The last end of a process of this pid that came after `since_ns` (Unix
  // time).
  [[nodiscard]] std::optional<SeenExit> Find(std::uint32_t pid,
                                             std::uint64_t since_ns) const;

 private:
  struct Ended {
    std::uint32_t pid = 0;
    int status = 0;
    std::uint64_t noticed_ns = 0;
  };

  explicit ExitEvents(int socket) : socket_(socket) {}
  bool Subscribe(bool only_ends);
  void TakeMessages(const char* data, std::size_t size);
  void TakeEvent(const char* data);

  const int socket_;
  bool acknowledged_ = false;
  std::deque<Ended> ended_;
};

}  // namespace heapledger::collector::obituary
