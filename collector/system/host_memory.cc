// SPDX-License-Identifier: Apache-2.0
#include "collector/system/host_memory.h"

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "collector/system/numbers.h"

namespace heapledger::collector {

absl::StatusOr<HostMemory> ParseMeminfo(std::string_view text) {
  struct Line {
    const char* name;
    std::uint64_t HostMemory::*field;
    std::optional<std::uint64_t> value;
  };
  Line lines[] = {
      {"MemTotal", &HostMemory::total, {}},
      {"MemAvailable", &HostMemory::available, {}},
      {"Buffers", &HostMemory::buffers, {}},
      {"Cached", &HostMemory::cached, {}},
      {"SwapTotal", &HostMemory::swap_total, {}},
      {"SwapFree", &HostMemory::swap_free, {}},
      {"CommitLimit", &HostMemory::commit_limit, {}},
      {"Committed_AS", &HostMemory::committed_as, {}},
  };
  HostMemory memory;
  for (Line& line : lines) {
    ReadNumbers(text, {{line.name, &line.value}});
    if (!line.value) {
      return absl::InvalidArgumentError(
          absl::StrCat("read meminfo: no line ", line.name));
    }
    memory.*line.field = *line.value;
  }
  return memory;
}

HostPaging ParseVmstat(std::string_view text) {
  std::optional<std::uint64_t> in, out, faults, major, kills;
  ReadNumbers(text, {{"pswpin", &in},
                     {"pswpout", &out},
                     {"pgfault", &faults},
                     {"pgmajfault", &major},
                     {"oom_kill", &kills}});
  return {.swap_in_pages = in.value_or(0),
          .swap_out_pages = out.value_or(0),
          .faults = faults.value_or(0),
          .major_faults = major.value_or(0),
          .oom_kills = kills.value_or(0)};
}

}  // namespace heapledger::collector
