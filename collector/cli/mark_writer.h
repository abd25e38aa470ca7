// SPDX-License-Identifier: Apache-2.0
// Sets marks. Shared by mark and by the response to pressure.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "collector/cli/output_file.h"
#include "collector/profile/hl_file.h"
#include "collector/shm/snapshot.h"

namespace heapledger::collector::cli {

struct WrittenMark {
  HlMark mark;
  std::uint64_t file_bytes = 0;
};

// InvalidArgument for a bad name; AlreadyExists and ResourceExhausted say what
// to do about it.
[[nodiscard]] absl::StatusOr<WrittenMark> SetMark(
    const std::shared_ptr<const LedgerSnapshot>& ledger,
    const std::string& name, Overwrite overwrite);

}  // namespace heapledger::collector::cli
