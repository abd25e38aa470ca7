// SPDX-License-Identifier: Apache-2.0
// Where in the sources a finding is shown: viewers of code want files of the
// repository, and a callsite may lie in a library that has none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "collector/gate/finding.h"
#include "collector/gate/writers.h"

namespace heapledger::collector::gate {

struct SourcePlace {
  std::string path;  // from the source root where it lies below, else absolute
  bool in_root = false;
  std::uint32_t line = 1;  // at least 1
};

// Of one frame; none where its file is unknown. A relative path is below the
// source root where there is such a file.
[[nodiscard]] std::optional<SourcePlace> PlaceOf(const StackFunction& frame,
                                                 const GateFacts& facts);

// Of a finding: the callsite's own if that lies below the source root, else of
// the innermost frame that does, else the callsite's.
[[nodiscard]] std::optional<SourcePlace> PlaceOf(const Finding& finding,
                                                 const GateFacts& facts);

// For a URI reference: all but unreserved characters and `/` as %XX.
[[nodiscard]] std::string UriPath(const std::string& path);

}  // namespace heapledger::collector::gate
