// SPDX-License-Identifier: Apache-2.0
// A command of the user's, run with bounds: in a process group of its own, for
// so long, with so much of its output kept. Whatever it does, we go on.
//
// Thread safety: any thread, several at once.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "collector/response/reading.h"

namespace heapledger::collector::response {

struct HookRequest {
  std::vector<std::string> command;      // an absolute path, arguments
  std::vector<std::string> environment;  // "NAME=value"; nothing else is there
  Duration timeout{};
  std::size_t max_output = 0;  // bytes that are kept; the rest is read and lost
};

struct HookEnd {
  int status = 0;          // of exit; 128 + n for a signal
  bool timed_out = false;  // and was killed, with its whole group
  std::string output;      // of stdout and stderr, as it came
  bool cut = false;        // there was more
};

// PermissionDenied where anybody may change the command, or we may not run it;
// NotFound where there is none.
[[nodiscard]] absl::StatusOr<HookEnd> RunHook(const HookRequest& request);

}  // namespace heapledger::collector::response
