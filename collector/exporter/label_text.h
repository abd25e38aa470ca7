// SPDX-License-Identifier: Apache-2.0
// Labels and help as both text formats write them.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "prometheus/client_metric.h"

namespace heapledger::collector {

enum class Quotes { kEscaped, kPlain };

void AppendEscaped(std::string_view text, Quotes quotes, std::string* out);

// `name="value"` pairs with commas between, in the order given; values cleaned
// and cut at kMaxLabelBytes.
void AppendLabels(std::span<const prometheus::ClientMetric::Label> labels,
                  std::string* out);

}  // namespace heapledger::collector
