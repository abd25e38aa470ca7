// SPDX-License-Identifier: Apache-2.0
// Facts about processes, from /proc. Zero or empty where it does not say.
#pragma once

#include <cstddef>
#include <cstdint>

namespace heapledger::preload {

// Inode of the calling process' pid namespace.
std::uint64_t PidNamespace();

// Start time of a process in clock ticks since boot. Pid 0: the calling one.
// `comm` (16 bytes), where given, takes the process' name.
std::uint64_t StartTimeTicks(std::uint32_t pid, char* comm = nullptr);

// How many seccomp filters the calling thread is under; negative where the
// kernel does not say.
long SeccompFilters();

// Resident bytes of the calling process in no file.
std::uint64_t AnonymousResidentBytes();

}  // namespace heapledger::preload
