// SPDX-License-Identifier: Apache-2.0
#include "collector/shm/mapped_ledger.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "collector/shm/fault_guard.h"
#include "heapledger/ledger/abi.h"
#include "heapledger/ledger/layout.h"

namespace heapledger::collector {
namespace {

using ledger::Header;
using ledger::kPageBytes;

constexpr std::size_t kFixedBytes =
    std::size_t{ledger::kFirstDataPage} * kPageBytes;
constexpr std::size_t kWordsPerPage = kPageBytes / kWordBytes;

// A retraction takes some instructions of the writer, or one of its time
// slices; what still contradicts itself after these looks is damage.
constexpr int kExtentLooks = 3;

}  // namespace

MappedLedger::MappedLedger(std::string path, const std::uint64_t* base,
                           std::size_t bytes)
    : path_(std::move(path)),
      base_(base),
      bytes_(bytes),
      pages_(static_cast<std::uint32_t>(bytes / kPageBytes)) {}

MappedLedger::~MappedLedger() {
  munmap(const_cast<std::uint64_t*>(base_), bytes_);
}

std::string MappedLedger::Doing() const {
  return absl::StrCat("read ledger ", path_, ": ");
}

absl::StatusOr<std::unique_ptr<MappedLedger>> MappedLedger::Map(
    int descriptor, std::string path) {
  const absl::Cleanup close_it = [descriptor] { close(descriptor); };
  const std::string doing = absl::StrCat("read ledger ", path, ": ");
  struct stat status;
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat(doing, "it is no regular file"));
  }
  const auto bytes = static_cast<std::uint64_t>(status.st_size);
  if (bytes < kFixedBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(doing, "it is no ledger: ", bytes, " bytes are too few"));
  }
  if (bytes > ledger::kMaximumCapBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(doing, "its ", bytes, " bytes exceed the limit of ",
                     ledger::kMaximumCapBytes));
  }
  void* const base = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, descriptor, 0);
  if (base == MAP_FAILED) {
    return absl::ResourceExhaustedError(
        absl::StrCat(doing, "it cannot be mapped"));
  }
  std::unique_ptr<MappedLedger> mapped(new MappedLedger(
      std::move(path), static_cast<const std::uint64_t*>(base), bytes));
  Words header;
  if (absl::Status ok = mapped->CopyHeader(&header); !ok.ok()) return ok;
  return mapped;
}

absl::Status MappedLedger::Copy(std::uint32_t page,
                                std::span<std::uint64_t> to) const {
  if (CopyWordsGuarded(base_ + std::size_t{page} * kWordsPerPage, to.size(),
                       to.data())) {
    return absl::OkStatus();
  }
  return absl::DataLossError(
      absl::StrCat(Doing(), "it was cut short while it was read"));
}

absl::Status MappedLedger::CopyHeader(Words* header) const {
  header->resize(kWordsPerPage);
  if (absl::Status ok = Copy(ledger::kHeaderPage, *header); !ok.ok()) {
    return ok;
  }
  return Check(*header);
}

absl::Status MappedLedger::Check(const Words& header) const {
  const auto magic = LoadField<std::uint64_t>(header, offsetof(Header, magic));
  if (magic == 0) {
    return absl::UnavailableError(
        absl::StrCat(Doing(), "its creation has not finished"));
  }
  if (magic != ledger::kMagic) {
    return absl::InvalidArgumentError(
        absl::StrCat(Doing(), "it is no ledger: wrong magic number"));
  }
  const auto version =
      LoadField<std::uint32_t>(header, offsetof(Header, abi_version));
  if (version != ledger::kAbiVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat(Doing(), "its format is version ", version,
                     " and this heapledger reads version ", ledger::kAbiVersion,
                     "; use the heapledger that belongs to the shim"));
  }
  const auto cap =
      LoadField<std::uint64_t>(header, offsetof(Header, cap_bytes));
  if (cap < kFixedBytes || cap > ledger::kMaximumCapBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        Doing(), "its header claims an impossible size of ", cap, " bytes"));
  }
  if (bytes_ < cap) {
    return absl::DataLossError(absl::StrCat(
        Doing(), "it was cut short: ", bytes_, " of ", cap, " bytes"));
  }
  return absl::OkStatus();
}

absl::StatusOr<ExtentMap> MappedLedger::ReadExtents() const {
  ExtentMap map;
  for (int look = 0; look < kExtentLooks; ++look) {
    if (look > 0) sched_yield();
    Words header;
    if (absl::Status ok = CopyHeader(&header); !ok.ok()) return ok;
    // Only the directory's pages up to the count are backed by memory; whole
    // pages, as the count may lag behind what is published.
    const std::size_t count = std::min(
        LoadField<std::uint32_t>(header, offsetof(Header, extent_count)),
        ledger::kExtentCapacity);
    const std::size_t pages =
        (count * sizeof(ledger::Extent) + kPageBytes - 1) / kPageBytes;
    Words directory(pages * kWordsPerPage);
    if (absl::Status ok = Copy(ledger::kExtentPage, directory); !ok.ok()) {
      return ok;
    }
    map = ExtentMap::Parse(directory, pages_);
    if (map.conflicts() == 0) break;
  }
  return map;
}

}  // namespace heapledger::collector
