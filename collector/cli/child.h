// SPDX-License-Identifier: Apache-2.0
// A program started in our place: same terminal, same descriptors, our signals
// passed on to it.
//
// Thread safety: the calling thread must be the only one.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace heapledger::collector::cli {

struct ChildResult {
  pid_t pid = -1;
  // As a shell gives it: 128 + n for a signal, 126 and 127 if not started.
  int status = 127;
  int signal = 0;       // that ended it
  int start_error = 0;  // errno of what kept it from starting
};

// Runs `command` until it ends, with `environment` added to ours and its own
// pid in HEAPLEDGER_ROOT_PID. `tick` gets its pid, about once an `interval`
// meanwhile.
ChildResult RunChild(const std::vector<std::string>& command,
                     const std::map<std::string, std::string>& environment,
                     std::chrono::milliseconds interval,
                     const std::function<void(pid_t)>& tick);

}  // namespace heapledger::collector::cli
