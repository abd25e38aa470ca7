// SPDX-License-Identifier: Apache-2.0
// The Python code objects of a ledger: what is read once is not read again, and
// two records that say the same are one.
//
// Thread safety: one thread at a time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "collector/shm/extent_map.h"
#include "collector/shm/mapped_ledger.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector {

class CodeBook {
 public:
  // Reads what was published since the last call.
  absl::Status Update(const MappedLedger& file, const ExtentMap& extents);

  // The index into codes() of a record; that of a code without a name where
  // there is none.
  std::uint32_t IndexOf(std::uint32_t id);

  // Only ever appended to.
  [[nodiscard]] const std::vector<CodeInfo>& codes() const { return codes_; }
  [[nodiscard]] std::uint64_t corrupt_records() const { return corrupt_; }

 private:
  std::uint32_t Intern(CodeInfo code);
  CodeInfo Decode(std::span<const std::uint64_t> record);

  std::vector<CodeInfo> codes_;
  absl::flat_hash_map<std::string, std::uint32_t> index_by_content_;
  absl::flat_hash_map<std::uint32_t, std::uint32_t> index_of_code_;
  absl::flat_hash_map<std::uint32_t, std::uint32_t> known_in_chunk_;
  std::uint64_t corrupt_ = 0;
};

}  // namespace heapledger::collector
