// SPDX-License-Identifier: Apache-2.0
// A heap as the bytes of a file, in any format. Shared by snapshot, report, run
// and mark.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "collector/cli/file_format.h"
#include "collector/cli/heap.h"
#include "collector/cli/symbols.h"
#include "collector/profile/formats.h"

namespace heapledger::collector::cli {

// A profile of one heap; its facts name the moment.
[[nodiscard]] Profile ProfileOf(const Heap& heap, Symbols& symbols);

// `symbols` may be null for .hl alone: then only names that the heap brought go
// in. `more_facts` is added to those of a .hl.
[[nodiscard]] absl::StatusOr<std::string> EncodeHeap(
    const Heap& heap, FileFormat format, const WriteOptions& options,
    Symbols* symbols,
    const nlohmann::ordered_json& more_facts =
        nlohmann::ordered_json::object());

}  // namespace heapledger::collector::cli
