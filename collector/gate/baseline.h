// SPDX-License-Identifier: Apache-2.0
// The leaks that a project knows of and lives with, by fingerprint, in a file
// made to be kept and reviewed with the sources: a line each, sorted.
//
//   # heapledger gate baseline 1
//   # callsite, bytes, objects, function, place
//   0123456789abcdef<TAB>4096<TAB>4<TAB>parse_header<TAB>http.c:42
//
// Only the callsite decides what is known; the rest is for its readers.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "collector/gate/finding.h"

namespace heapledger::collector::gate {

struct KnownLeak {
  Amount amount;  // when the baseline was written
  std::string function;
  std::string place;
};

using Baseline = std::map<Fingerprint, KnownLeak>;

// The message names `source`, the line and what is wrong with it.
[[nodiscard]] absl::StatusOr<Baseline> ParseBaseline(std::string_view text,
                                                     const std::string& source);

// ParseBaseline(BaselineText(b)) is b.
[[nodiscard]] std::string BaselineText(const Baseline& baseline);

}  // namespace heapledger::collector::gate
