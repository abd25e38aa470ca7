// SPDX-License-Identifier: Apache-2.0
// The lists with weights of Accept and Accept-Encoding (RFC 9110, 12.4.2 and
// 12.5).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace heapledger::collector {

struct QualityItem {
  std::string value;  // in lower case, without its parameters
  // In the order sent, names and values in lower case, quotes taken off; the
  // weight is none of them.
  std::vector<std::pair<std::string, std::string>> parameters;
  int weight = 1000;  // thousandths; 0 means "not this one"
};

// The items in the order sent. Empty ones are left out, as the RFC has it; one
// whose weight is none counts as refused. At most 64 items are read: no client
// has more to say.
[[nodiscard]] std::vector<QualityItem> ParseQualityList(
    std::string_view header);

}  // namespace heapledger::collector
