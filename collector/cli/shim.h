// SPDX-License-Identifier: Apache-2.0
// Where libheapledger.so and the allocators to put under it lie.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace heapledger::collector::cli {

// Relative to this executable: ../lib in a build tree, ../lib/heapledger where
// installed.
absl::StatusOr<std::string> FindShim();

// "jemalloc" -> its library, as the loader would find it.
absl::StatusOr<std::string> FindAllocator(const std::string& name);

// The value of LD_PRELOAD: shim first, then `allocator` (may be empty), then
// what was there before.
absl::StatusOr<std::string> PreloadValue(const std::string& shim,
                                         const std::string& allocator,
                                         const std::string& before);

}  // namespace heapledger::collector::cli
