// SPDX-License-Identifier: Apache-2.0
// --tags FILE: the user's rules and metrics of tags, and heaps read by them.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "collector/cli/heap.h"
#include "collector/cli/symbols.h"
#include "collector/tags/tag_config.h"

namespace CLI {
class App;
}  // namespace CLI

namespace heapledger::collector::cli {

void AddTagsOption(CLI::App& app, std::string& path);

// What holds without a file where `path` is empty.
[[nodiscard]] absl::StatusOr<TagConfig> ReadTagConfig(const std::string& path);

// Gives the heap's callsites the tags of rules; does nothing without any.
void TagHeap(const std::shared_ptr<const TagRules>& rules, Symbols& symbols,
             Heap& heap);

}  // namespace heapledger::collector::cli
