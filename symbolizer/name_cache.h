// SPDX-License-Identifier: Apache-2.0
// Names kept on disk between runs: a file for each module and set of debug
// files, "BUILDID-HASH.names", in a directory of the user's own.
//
// Several processes may use one directory: files are replaced whole, by rename,
// and the later writer wins. What is lost that way is only looked up again.
//
// On failure: a cache that cannot be read or written is an empty one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "symbolizer/name_table.h"

namespace heapledger::symbolizer {

class NameCache {
 public:
  // Makes the directory (mode 0700) when it is first written to. The files'
  // bytes stay within `max_bytes`: those not used for longest go.
  NameCache(std::string directory, std::uint64_t max_bytes);

  // `identity` says which files the names must be from.
  std::optional<NameTable> Load(std::string_view build_id,
                                const std::string& identity) const;

  // Joins `table` with what another process may have stored meanwhile.
  void Store(std::string_view build_id, NameTable table) const;

 private:
  std::string PathOf(std::string_view build_id,
                     std::string_view identity) const;
  void Trim() const;

  std::string directory_;
  std::uint64_t max_bytes_;
};

}  // namespace heapledger::symbolizer
