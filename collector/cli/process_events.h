// SPDX-License-Identifier: Apache-2.0
// Every program that starts below us, as the kernel tells it (the process
// connector of netlink): a static program that lived for a millisecond is seen
// as well as a daemon.
//
// The kernel tells only who listens from the machine's first pid, user and
// network namespaces, and before Linux 6.6 only root; see process_poll.h for
// the rest.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace heapledger::collector::cli {

// One program in one process: what an exec began.
struct SeenImage {
  std::uint32_t pid = 0;
  std::uint64_t begin_monotonic_ns = 0;
  std::string program;  // path; empty where it ended before one could look
  std::string short_name = {};  // then, perhaps; 15 characters of it
};

class ProcessEvents {
 public:
  // Listens from now on, to what this process starts and what comes of that.
  // Null where the kernel does not tell us.
  static std::unique_ptr<ProcessEvents> Listen();
  ~ProcessEvents();
  ProcessEvents(const ProcessEvents&) = delete;
  ProcessEvents& operator=(const ProcessEvents&) = delete;

  // Readable when there is something to take.
  [[nodiscard]] int descriptor() const { return socket_; }
  void Take();

  // By time.
  [[nodiscard]] const std::vector<SeenImage>& images() const { return images_; }
  // Processes below us that have not ended.
  [[nodiscard]] const std::set<std::uint32_t>& running() const {
    return running_;
  }
  // Whether events came faster than they were taken, and some are missing.
  [[nodiscard]] bool lost() const { return lost_; }

 private:
  explicit ProcessEvents(int socket);
  void TakeMessages(const char* data, std::size_t size);
  void TakeEvent(const char* data);
  [[nodiscard]] bool Acknowledged();

  int socket_;
  // Us, and all that came of us. A pid of another's that was ours before is
  // taken for ours: it would have to come round within one run.
  std::set<std::uint32_t> tree_;
  std::set<std::uint32_t> running_;
  std::vector<SeenImage> images_;
  bool lost_ = false;
  bool acknowledged_ = false;
};

}  // namespace heapledger::collector::cli
