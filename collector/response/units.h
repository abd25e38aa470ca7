// SPDX-License-Identifier: Apache-2.0
// Values as people write them in rules, and as they read them in messages.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "collector/response/reading.h"

namespace heapledger::collector::response {

// "80%" or "0.8": between 0 and 1, 0 left out.
[[nodiscard]] std::optional<double> ParseRatio(std::string_view text);
// "512", "64KiB", "64K" (1024), "64KB" (1000), up to T.
[[nodiscard]] std::optional<std::uint64_t> ParseBytes(std::string_view text);
// "200ms", "5m", "1h30m"; no longer than a year, not negative.
[[nodiscard]] std::optional<Duration> ParseSpan(std::string_view text);
// By unit: a ratio, bytes, a span in seconds, bytes per second (as bytes), a
// count, or low, medium and critical as 1, 2 and 3. Above 0.
[[nodiscard]] std::optional<double> ParseValue(Unit unit,
                                               std::string_view text);

// What ParseValue() takes, for messages: "a share such as 80%".
[[nodiscard]] std::string_view UnitHelp(Unit unit);

// "83.1%", "64.0MiB", "12s".
[[nodiscard]] std::string UnitText(Unit unit, double value);
[[nodiscard]] std::string BytesText(std::uint64_t bytes);
[[nodiscard]] std::string SpanText(Duration span);

}  // namespace heapledger::collector::response
