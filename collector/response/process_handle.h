// SPDX-License-Identifier: Apache-2.0
// A process that is acted on. The kernel's handle of it (pidfd) and its
// directory in /proc stay those of this very process: once it has ended,
// nothing reaches the one that gets its pid.
//
// Thread safety: one thread at a time per object.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collector/response/descriptor.h"
#include "collector/response/reading.h"

namespace heapledger::collector::response {

class ProcessHandle {
 public:
  // NotFound where it has ended.
  [[nodiscard]] static absl::StatusOr<ProcessHandle> Open(const TargetKey& who);

  [[nodiscard]] absl::Status Signal(int number) const;
  // Whether it ended within `patience`.
  [[nodiscard]] bool WaitForEnd(std::chrono::milliseconds patience) const;

  // A small file of its directory, such as "cgroup".
  [[nodiscard]] absl::StatusOr<std::string> Read(const char* name) const;
  [[nodiscard]] absl::Status Write(const char* name,
                                   std::string_view text) const;

 private:
  ProcessHandle(Descriptor process, Descriptor directory)
      : process_(std::move(process)), directory_(std::move(directory)) {}

  Descriptor process_;
  Descriptor directory_;
};

}  // namespace heapledger::collector::response
