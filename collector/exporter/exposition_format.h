// SPDX-License-Identifier: Apache-2.0
// The two formats that metrics are served in, and which one a client gets.
#pragma once

#include <string_view>

namespace heapledger::collector {

enum class ExpositionFormat {
  kText,         // Prometheus' text format 0.0.4
  kOpenMetrics,  // OpenMetrics text 1.0.0
};

// What an Accept header asks for. OpenMetrics only where it is named, in
// version 1.0.0 or without one, and weighs no less than the text format; the
// text format for everything else, as no scraper is helped by a 406.
[[nodiscard]] ExpositionFormat ChooseFormat(std::string_view accept);

[[nodiscard]] std::string_view ContentTypeOf(ExpositionFormat format);

}  // namespace heapledger::collector
