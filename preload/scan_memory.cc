// SPDX-License-Identifier: Apache-2.0
#include "preload/scan_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "preload/scan/memory.h"
#include "preload/shared_memory_owner.h"

namespace heapledger::preload {
namespace {

static_assert(scan::ScanMemory<ScanMemory>);

using ledger::ScanReason;
using scan::Mapping;

// Bits of a word of /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst
// of Linux).
constexpr std::uint64_t kPagePresent = 1ULL << 63;
constexpr std::uint64_t kPageSwapped = 1ULL << 62;
constexpr std::uint64_t kPageOfFile = 1ULL << 61;

long Address(const void* at) { return reinterpret_cast<long>(at); }

// Copies from this very process; a negative errno where nothing was copied.
long CopyByKernel(std::uint64_t from, void* to, std::size_t bytes, long pid) {
  const iovec local{to, bytes};
  const iovec remote{reinterpret_cast<void*>(from), bytes};
  return raw::Call(SYS_process_vm_readv, pid, Address(&local), 1,
                   Address(&remote), 1, 0);
}

}  // namespace

ScanReason ScanMemory::Open(std::uint64_t deadline_ns) {
  deadline_ns_ = deadline_ns;
  page_file_ = -1;
  count_ = last_found_ = 0;
  overflowed_ = refused_ = late_ = false;
  // Of this thread: the process' own name shows nothing once its main thread
  // has ended.
  const int file = raw::Open("/proc/thread-self/maps", O_RDONLY);
  if (file < 0) return ScanReason::kNoProc;
  scan::MappingReader reader;
  bool sound = true;
  for (;;) {
    const long got = raw::Call(SYS_read, file, Address(text_), sizeof text_);
    if (got == -EINTR) continue;
    if (got <= 0) break;
    sound = sound && reader.Feed(text_, static_cast<std::size_t>(got),
                                 [this](const Mapping& mapping) {
                                   if (count_ == kMaxMappings) {
                                     overflowed_ = true;
                                   } else {
                                     mappings_[count_++] = mapping;
                                   }
                                 });
  }
  raw::Close(file);
  if (!sound || count_ == 0) return ScanReason::kNoProc;
  if (overflowed_) return ScanReason::kTooManyMappings;
  page_file_ = raw::Open("/proc/thread-self/pagemap", O_RDONLY);
  std::uint64_t word;
  const long copied =
      CopyByKernel(reinterpret_cast<std::uint64_t>(&deadline_ns_), &word,
                   sizeof word, raw::Call(SYS_getpid));
  copy_works_ = copied == sizeof word;
  return ScanReason::kNone;
}

void ScanMemory::Close() {
  if (page_file_ >= 0) raw::Close(page_file_);
  page_file_ = -1;
}

bool ScanMemory::TimeIsUp() {
  const std::uint64_t now = raw::PreciseNs();
  late_ = late_ || now > deadline_ns_;
  if (owner_pid_ != 0 && now - owner_looked_ns_ > kOwnerLookNs) {
    owner_looked_ns_ = now;
    owner_is_gone_ = owner_is_gone_ || !StillSharesMemoryWith(owner_pid_);
  }
  return late_ || owner_is_gone_;
}

const Mapping* ScanMemory::Find(std::uint64_t address) {
  const Mapping& last = mappings_[last_found_];
  if (address >= last.start && address < last.end) return &last;
  std::uint32_t low = 0;
  std::uint32_t high = count_;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    if (mappings_[middle].end > address) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  if (low == count_ || mappings_[low].start > address) return nullptr;
  last_found_ = low;
  return &mappings_[low];
}

bool ScanMemory::Copy(std::uint64_t from, void* to, std::size_t bytes) {
  if (copy_works_) {
    return CopyByKernel(from, to, bytes, raw::Call(SYS_getpid)) ==
           static_cast<long>(bytes);
  }
  const Mapping* const mapping = Find(from);
  if (mapping == nullptr || !mapping->readable || mapping->shared ||
      mapping->end - from < bytes) {
    return false;
  }
  memcpy(to, reinterpret_cast<const void*>(from), bytes);
  return true;
}

std::size_t ScanMemory::CopyRun(const Mapping& mapping, std::uint64_t from,
                                std::size_t bytes) {
  if (copy_works_) {
    const long got = CopyByKernel(from, run_, bytes, raw::Call(SYS_getpid));
    if (got > 0) return static_cast<std::size_t>(got) & ~std::size_t{7};
    if (got != -EFAULT) refused_ = true;
    return 0;
  }
  // A private mapping faults only where its file was cut short; the program's
  // own code and data are not.
  if (mapping.shared) {
    refused_ = true;
    return 0;
  }
  memcpy(run_, reinterpret_cast<const void*>(from), bytes);
  return bytes;
}

bool ScanMemory::LookAtPages(std::uint64_t begin, std::size_t pages) {
  if (page_file_ < 0) return false;
  const long wanted = static_cast<long>(pages * sizeof page_words_[0]);
  return raw::Call(SYS_pread64, page_file_, Address(page_words_), wanted,
                   static_cast<long>(begin / kPage * 8)) == wanted;
}

bool ScanMemory::IsTouched(std::size_t page) const {
  const std::uint64_t word = page_words_[page];
  if ((word & kPageSwapped) != 0) return true;
  // A private page that is still the file's holds nothing of the program's.
  return (word & kPagePresent) != 0 && (word & kPageOfFile) == 0;
}

}  // namespace heapledger::preload
