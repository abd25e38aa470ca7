// SPDX-License-Identifier: Apache-2.0
// What core/ needs from the process around it. Production gives raw system
// calls (preload/recorder.cc); unit tests give arrays and can refuse at will.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace heapledger::preload {

// MapPrivate: zeroed memory of our own, never of the watched allocator; null
//   when refused.
// Unmap: gives back what MapPrivate gave.
// Discard: contents become zero again, the address range stays ours.
// Populate: makes pages of the ledger file writable without the possibility of
//   SIGBUS; false when there is no room.
template <typename Env>
concept MemoryEnv = requires(Env env, std::size_t bytes, void* at,
                             std::uint32_t page) {
  { env.MapPrivate(bytes) } -> std::same_as<void*>;
  { env.Unmap(at, bytes) } -> std::same_as<void>;
  { env.Discard(at, bytes) } -> std::same_as<void>;
  { env.Populate(page, page) } -> std::same_as<bool>;
};

}  // namespace heapledger::preload
