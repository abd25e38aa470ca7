// SPDX-License-Identifier: Apache-2.0
// Names of code in no module: what the target's JIT compiler wrote about it, as
// a perf map, a jitdump or both. Files are only believed if they belong to the
// target's own user or to root: the places where they lie are open to all.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "symbolizer/frame.h"
#include "symbolizer/jitdump.h"
#include "symbolizer/perf_map.h"

namespace heapledger::symbolizer {

// The process whose code it is.
struct JitProcess {
  std::int64_t pid = 0;       // in its own pid namespace
  std::int64_t live_pid = 0;  // as /proc here counts; 0 if it has ended
  std::optional<std::uint32_t> uid = std::nullopt;  // not checked if unknown
  // Where a jitdump may lie, besides where the live process has it mapped and
  // its working directory.
  std::vector<std::string> directories = {"/tmp"};
};

class JitCode {
 public:
  // Reads what there is below the live process's root, else below `root`.
  // Fails if there is neither file; what was read before stays then.
  absl::Status Load(const std::string& root, const JitProcess& process);

  // Sets function, file, line and quality. Returns whether the address is
  // known. A jitdump, which has lines, comes before a perf map.
  bool Find(std::uint64_t address, Frame& frame) const;

 private:
  PerfMap perf_map_;
  std::optional<JitDump> dump_;
};

}  // namespace heapledger::symbolizer
