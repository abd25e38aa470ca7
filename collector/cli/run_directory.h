// SPDX-License-Identifier: Apache-2.0
// The directory that the ledgers of one `run` lie in, so that its processes are
// told from all others. It stays after the run, for report; older ones go.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "collector/shm/discovery.h"

namespace heapledger::collector::cli {

class RunDirectory {
 public:
  // Below the ledger directory of `options`; removes runs before the last few
  // of which no process is left.
  static absl::StatusOr<RunDirectory> Create(const DiscoveryOptions& options);

  // A directory that the user named: made if need be, used as it is.
  static absl::StatusOr<RunDirectory> Use(const std::string& path);

  [[nodiscard]] const std::string& path() const { return path_; }

  // Removes ledgers of ended processes, the first ended first, while all of
  // them take more memory than there should be: a build of a thousand processes
  // must not fill /dev/shm. `before` is told the path of each. Marks go with
  // their ledgers.
  void Sweep(const std::function<void(const std::string&)>& before);
  [[nodiscard]] std::size_t swept() const { return swept_; }

  // Removes everything, unless a process that writes here still runs.
  void Remove();

 private:
  explicit RunDirectory(std::string path);

  std::string path_;
  std::uint64_t budget_bytes_ = 0;
  std::size_t swept_ = 0;
};

}  // namespace heapledger::collector::cli
