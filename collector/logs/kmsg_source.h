// SPDX-License-Identifier: Apache-2.0
// The kernel's own log, record by record.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "collector/logs/log_source.h"

namespace heapledger::collector::logs {

// A record as /dev/kmsg gives it: "6,339,5140900,-;text\n KEY=value\n". The
// text is "kernel"'s where the record's facility says so, which no process can
// forge; else its writer's, as far as the text names it. None where it is no
// record. `boot_realtime_ns` is Unix time at the zero of the kernel's clock.
[[nodiscard]] std::optional<LogLine> ParseKmsgRecord(
    std::string_view record, std::uint64_t boot_realtime_ns);

[[nodiscard]] std::unique_ptr<LogSource> MakeKmsgSource(
    ReadFrom from, const std::string& path = "/dev/kmsg");

}  // namespace heapledger::collector::logs
