// SPDX-License-Identifier: Apache-2.0
// Debug files from the servers that DEBUGINFOD_URLS names, through
// libdebuginfod and its own cache. The library is loaded on the first request
// and not before: it brings an HTTP client and two dozen libraries along, which
// no process should carry that was not asked to use the network.
//
// Thread safety: none.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace heapledger::symbolizer {

class Debuginfod {
 public:
  Debuginfod() = default;
  ~Debuginfod();
  Debuginfod(const Debuginfod&) = delete;
  Debuginfod& operator=(const Debuginfod&) = delete;

  // Returns the path of the debug file for `build_id` (lower-case hex), in the
  // library's cache. Waits for the network, DEBUGINFOD_TIMEOUT seconds without
  // progress at most. Fails if no server has it, none is named, or the library
  // is not installed.
  absl::StatusOr<std::string> FindDebugFile(std::string_view build_id);

 private:
  absl::Status Load();

  void* library_ = nullptr;
  void* client_ = nullptr;  // debuginfod_client
};

}  // namespace heapledger::symbolizer
