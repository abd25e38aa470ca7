// SPDX-License-Identifier: Apache-2.0
// System calls without libc: no errno, no cancellation point, no function that
// another preload may have wrapped. Results are the kernel's: negative errno on
// failure.
#pragma once

#include <atomic>
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

// Exact, by a system call: for what is asked for once.
std::uint64_t PreciseNs();
// Exact, without a system call where HasClock(): it reads the time stamp
// counter, so only for callers that a program without it does not have.
std::uint64_t FineNs();

// What MapPrivate() and MapShared() gave, so that a scan can leave it out.
class OwnRanges {
 public:
  void Add(std::uint64_t start, std::uint64_t bytes);
  void Remove(std::uint64_t start);
  // Calls `visit(start, end)` for every range that was not unmapped. False
  // where there were too many to keep account of.
  template <typename Visit>
  bool ForEach(Visit&& visit) const {
    const std::uint32_t count = count_.load(std::memory_order_acquire);
    for (std::uint32_t i = 0; i < count && i < kCapacity; ++i) {
      const std::uint64_t bytes =
          ranges_[i].bytes.load(std::memory_order_acquire);
      if (bytes == 0) continue;
      const std::uint64_t start =
          ranges_[i].start.load(std::memory_order_relaxed);
      visit(start, start + bytes);
    }
    return count <= kCapacity;
  }

 private:
  // A range of 2 MiB for every 16 MiB of heap, and a few more.
  static constexpr std::uint32_t kCapacity = 8192;

  struct OwnRange {
    std::atomic<std::uint64_t> start{0};
    std::atomic<std::uint64_t> bytes{0};  // set last; 0: gone
  };
  std::atomic<std::uint32_t> count_{0};
  OwnRange ranges_[kCapacity];
};

[[gnu::visibility("hidden")]] extern OwnRanges g_own_ranges;

}  // namespace heapledger::preload::raw
