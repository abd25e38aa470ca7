// SPDX-License-Identifier: Apache-2.0
#include "preload/raw_io.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

namespace heapledger::preload::raw {
namespace {

// Values of the kernel's interface that older C headers lack.
constexpr long kMadvPopulateWrite = 23;
constexpr long kMadvWipeOnFork = 18;
constexpr long kMadvKeepOnFork = 19;
constexpr std::size_t kHugePageBytes = 2UL << 20;

long Address(const void* at) { return reinterpret_cast<long>(at); }

using Clock = long (*)(long clock, timespec* now);
constinit Clock g_clock = nullptr;

bool Same(const char* a, const char* b) {
  for (; *a != '\0' && *a == *b; ++a, ++b) {
  }
  return *a == *b;
}

// Looks a function up in the kernel's own object (vDSO). The dynamic symbols
// lie before their names, which tells how many there are.
void* FindInVdso(const char* name) {
  const std::uint64_t base = getauxval(AT_SYSINFO_EHDR);
  if (base == 0) return nullptr;
  const auto* const header = reinterpret_cast<const Elf64_Ehdr*>(base);
  const auto* const rows =
      reinterpret_cast<const Elf64_Phdr*>(base + header->e_phoff);
  const Elf64_Dyn* dynamic = nullptr;
  for (int i = 0; i < header->e_phnum; ++i) {
    // The object is linked to address 0, so offsets are addresses.
    if (rows[i].p_type == PT_LOAD && rows[i].p_vaddr != rows[i].p_offset) {
      return nullptr;
    }
    if (rows[i].p_type == PT_DYNAMIC) {
      dynamic = reinterpret_cast<const Elf64_Dyn*>(base + rows[i].p_offset);
    }
  }
  std::uint64_t symbols = 0;
  std::uint64_t names = 0;
  for (; dynamic != nullptr && dynamic->d_tag != DT_NULL; ++dynamic) {
    if (dynamic->d_tag == DT_SYMTAB) symbols = base + dynamic->d_un.d_ptr;
    if (dynamic->d_tag == DT_STRTAB) names = base + dynamic->d_un.d_ptr;
  }
  if (symbols == 0) return nullptr;
  for (; symbols + sizeof(Elf64_Sym) <= names; symbols += sizeof(Elf64_Sym)) {
    const auto* const symbol = reinterpret_cast<const Elf64_Sym*>(symbols);
    if (symbol->st_shndx != SHN_UNDEF &&
        Same(reinterpret_cast<const char*>(names + symbol->st_name), name)) {
      return reinterpret_cast<void*>(base + symbol->st_value);
    }
  }
  return nullptr;
}

std::uint64_t Nanoseconds(const timespec& now) {
  return static_cast<std::uint64_t>(now.tv_sec) * 1000000000ULL +
         static_cast<std::uint64_t>(now.tv_nsec);
}

std::uint64_t ClockNs(long clock) {
  timespec now{};
  if (g_clock == nullptr || g_clock(clock, &now) != 0) {
    Call(SYS_clock_gettime, clock, Address(&now));
  }
  return Nanoseconds(now);
}

}  // namespace

constinit OwnRanges g_own_ranges;

void OwnRanges::Add(std::uint64_t start, std::uint64_t bytes) {
  const std::uint32_t at = count_.fetch_add(1, std::memory_order_acq_rel);
  if (at >= kCapacity) return;
  ranges_[at].start.store(start, std::memory_order_relaxed);
  // Release: pairs with the acquire in ForEach().
  ranges_[at].bytes.store(bytes, std::memory_order_release);
}

void OwnRanges::Remove(std::uint64_t start) {
  const std::uint32_t count = count_.load(std::memory_order_acquire);
  for (std::uint32_t i = 0; i < count && i < kCapacity; ++i) {
    if (ranges_[i].start.load(std::memory_order_relaxed) != start) continue;
    ranges_[i].bytes.store(0, std::memory_order_release);
    // Its start may be a new range's.
    ranges_[i].start.store(0, std::memory_order_relaxed);
  }
}

void* MapPrivate(std::size_t bytes) {
  const long at =
      Call(SYS_mmap, 0, static_cast<long>(bytes), PROT_READ | PROT_WRITE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (Failed(at)) return nullptr;
  if (bytes >= kHugePageBytes) {
    Call(SYS_madvise, at, static_cast<long>(bytes), MADV_NOHUGEPAGE);
  }
  g_own_ranges.Add(static_cast<std::uint64_t>(at), bytes);
  return reinterpret_cast<void*>(at);
}

void Unmap(void* at, std::size_t bytes) {
  g_own_ranges.Remove(reinterpret_cast<std::uint64_t>(at));
  Call(SYS_munmap, Address(at), static_cast<long>(bytes));
}

void Discard(void* at, std::size_t bytes) {
  Call(SYS_madvise, Address(at), static_cast<long>(bytes), MADV_DONTNEED);
}

void* MapShared(int file, std::size_t bytes) {
  const long at = Call(SYS_mmap, 0, static_cast<long>(bytes),
                       PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (Failed(at)) return nullptr;
  Call(SYS_madvise, at, static_cast<long>(bytes), MADV_DONTDUMP);
  g_own_ranges.Add(static_cast<std::uint64_t>(at), bytes);
  return reinterpret_cast<void*>(at);
}

bool Populate(void* at, std::size_t bytes) {
  return Call(SYS_madvise, Address(at), static_cast<long>(bytes),
              kMadvPopulateWrite) == 0;
}

bool WipeOnFork(void* at, std::size_t bytes) {
  return Call(SYS_madvise, Address(at), static_cast<long>(bytes),
              kMadvWipeOnFork) == 0;
}

void KeepOnFork(void* at, std::size_t bytes) {
  Call(SYS_madvise, Address(at), static_cast<long>(bytes), kMadvKeepOnFork);
}

int Open(const char* path, int flags, unsigned mode) {
  return static_cast<int>(
      Call(SYS_openat, AT_FDCWD, Address(path), flags | O_CLOEXEC, mode));
}

void Close(int file) { Call(SYS_close, file); }

bool Truncate(int file, std::uint64_t bytes) {
  return Call(SYS_ftruncate, file, static_cast<long>(bytes)) == 0;
}

long ReadFile(const char* path, char* buffer, std::size_t capacity) {
  const int file = Open(path, O_RDONLY);
  if (file < 0) return file;
  std::size_t filled = 0;
  while (filled + 1 < capacity) {
    const long got = Call(SYS_read, file, Address(buffer + filled),
                          static_cast<long>(capacity - 1 - filled));
    if (got <= 0) break;
    filled += static_cast<std::size_t>(got);
  }
  Close(file);
  buffer[filled] = '\0';
  return static_cast<long>(filled);
}

long ReadLink(const char* path, char* buffer, std::size_t capacity) {
  const long got = Call(SYS_readlinkat, AT_FDCWD, Address(path),
                        Address(buffer), static_cast<long>(capacity - 1));
  buffer[got < 0 ? 0 : got] = '\0';
  return got;
}

std::uint32_t Pid() { return static_cast<std::uint32_t>(Call(SYS_getpid)); }
std::uint32_t EffectiveUid() {
  return static_cast<std::uint32_t>(Call(SYS_geteuid));
}
void FindClock() {
  g_clock = reinterpret_cast<Clock>(FindInVdso("__vdso_clock_gettime"));
}
// The coarse clocks: the fine ones read the processor's time stamp counter,
// which a program may forbid itself (strict seccomp does).
std::uint64_t MonotonicNs() { return ClockNs(CLOCK_MONOTONIC_COARSE); }
std::uint64_t RealtimeNs() { return ClockNs(CLOCK_REALTIME_COARSE); }
std::uint64_t PreciseNs() {
  timespec now{};
  Call(SYS_clock_gettime, CLOCK_MONOTONIC, Address(&now));
  return Nanoseconds(now);
}
std::uint64_t FineNs() { return ClockNs(CLOCK_MONOTONIC); }
bool HasClock() { return g_clock != nullptr; }

}  // namespace heapledger::preload::raw
