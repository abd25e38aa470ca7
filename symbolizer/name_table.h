// SPDX-License-Identifier: Apache-2.0
// What is known of one module's addresses, and the form it has on disk: a
// header with length and checksum, the texts each once, then address, frames.
// Files may be damaged or made up: Decode() takes the whole or nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "symbolizer/frame.h"

namespace heapledger::symbolizer {

struct NameTable {
  // Which files the names are from; others, other names.
  std::string identity;
  // As Module has them; see symbolizer.h.
  std::uint8_t reason = 0;
  std::string detail;
  std::string debug_file;
  // By ELF vaddr. Of a frame, module and rel_pc are not kept. An address
  // without frames is one that the module has no name for.
  std::map<std::uint64_t, std::vector<Frame>> names;

  std::string Encode() const;
  static absl::StatusOr<NameTable> Decode(std::string_view bytes);
};

}  // namespace heapledger::symbolizer
