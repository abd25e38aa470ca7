// SPDX-License-Identifier: Apache-2.0
// System calls without libc: no errno, no cancellation point, no function that
// another preload may have wrapped. Results are the kernel's: negative errno on
// failure.
#pragma once

#include <cstddef>
#include <cstdint>

namespace heapledger::preload::raw {

inline long Call(long number, long a = 0, long b = 0, long c = 0, long d = 0,
                 long e = 0, long f = 0) {
  long result;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

inline bool Failed(long result) { return result < 0 && result > -4096; }

// Zeroed private memory, or null. Large areas ask for no huge pages: they are
// touched sparsely.
void* MapPrivate(std::size_t bytes);
void Unmap(void* at, std::size_t bytes);
// Contents become zero; the range stays.
void Discard(void* at, std::size_t bytes);

// Shared mapping of a file, or null.
void* MapShared(int file, std::size_t bytes);

// Makes pages of a shared file mapping writable or says no; never SIGBUS later.
// From Linux 5.14 on.
bool Populate(void* at, std::size_t bytes);

// Contents become zero in a forked child. From Linux 4.14 on.
bool WipeOnFork(void* at, std::size_t bytes);
// Undoes it.
void KeepOnFork(void* at, std::size_t bytes);

int Open(const char* path, int flags, unsigned mode = 0);
void Close(int file);
bool Truncate(int file, std::uint64_t bytes);
// Reads up to `capacity` - 1 bytes of a whole file and terminates them. Returns
// the number of bytes, or a negative errno.
long ReadFile(const char* path, char* buffer, std::size_t capacity);
// The same for a symbolic link.
long ReadLink(const char* path, char* buffer, std::size_t capacity);

std::uint32_t Pid();
std::uint32_t EffectiveUid();

// Finds the kernel's clock that needs no system call, for all that follows; a
// seccomp filter may kill for one that the program itself never makes.
void FindClock();
// Whether the clocks below need no system call.
bool HasClock();
// To within a few milliseconds.
std::uint64_t MonotonicNs();
std::uint64_t RealtimeNs();

}  // namespace heapledger::preload::raw
