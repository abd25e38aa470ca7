// SPDX-License-Identifier: Apache-2.0
// One line of a log, split into who said it and what was said.
#pragma once

#include <cstdint>
#include <string_view>

namespace heapledger::collector::logs {

struct LogLine {
  // Empty where nobody knows; "kernel" only where the source vouches for it or
  // a syslog head says so.
  std::string_view program;
  std::uint32_t pid = 0;          // 0 where not told
  std::string_view text;          // without its head: time, host, program
  std::uint64_t realtime_ns = 0;  // 0 where the source does not tell
};

// Takes the head off a line as syslog (RFC 3164 and 5424), dmesg, journalctl
// and the container runtimes write it. The views point into `line`; a line
// without such a head is all text.
[[nodiscard]] LogLine ParseLine(std::string_view line);

// What a process wrote to the kernel's log: "systemd[1]: text", or only text,
// whose program is then "user" and nobody that a wording could mean.
[[nodiscard]] LogLine ParseWriter(std::string_view text);

}  // namespace heapledger::collector::logs
