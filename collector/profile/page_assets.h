// SPDX-License-Identifier: Apache-2.0
// The files of page/, as they were when the program was built.
#pragma once

#include <span>
#include <string_view>

namespace heapledger::collector {

struct EmbeddedFile {
  std::string_view name;  // last part of its path
  std::string_view text;
  std::string_view csp_hash;  // "sha256-…", as a Content-Security-Policy has it
};

[[nodiscard]] std::span<const EmbeddedFile> PageAssets();

}  // namespace heapledger::collector
