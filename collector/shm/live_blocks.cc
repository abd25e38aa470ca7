// SPDX-License-Identifier: Apache-2.0
#include "collector/shm/live_blocks.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "heapledger/ledger/abi.h"
#include "heapledger/ledger/object_slot.h"

namespace heapledger::collector {
namespace {

// What a block's size may be at most to be taken for one.
constexpr std::uint64_t kLargestBlock = std::uint64_t{1} << 47;
// Slots that a leaf has beyond its granules.
constexpr std::size_t kSpareSlots = 2;
// Directory entries read at once.
constexpr std::uint64_t kMostLeaves = 1 << 20;

}  // namespace

absl::StatusOr<std::unique_ptr<LiveBlocks>> LiveBlocks::Open(
    std::uint32_t pid, const std::string& directory,
    const ObjectMapPlace& place) {
  // Leaves of 64 KiB to 1 GiB of heap, granules of 16 to 4096 bytes.
  if (place.directory == 0 || place.granule_shift < 4 ||
      place.granule_shift > 12 || place.leaf_shift < 16 ||
      place.leaf_shift > 30) {
    return absl::InvalidArgumentError(
        absl::StrCat("the ledger of pid ", pid,
                     " does not say where its object map is; use the "
                     "heapledger that belongs to its shim"));
  }
  auto pages = PageMap::Open(directory);
  if (!pages.ok()) return pages.status();
  std::unique_ptr<LiveBlocks> blocks(
      new LiveBlocks(pid, place, *std::move(pages)));
  // Whether its memory may be read at all.
  std::uint64_t word = 0;
  const absl::Status readable =
      blocks->ReadMemory(place.directory, sizeof word, &word);
  if (!readable.ok()) return readable;
  return blocks;
}

absl::Status LiveBlocks::ReadMemory(std::uint64_t address, std::size_t bytes,
                                    void* to) {
  auto* at = static_cast<char*>(to);
  while (bytes != 0) {
    iovec local = {at, bytes};
    iovec remote = {reinterpret_cast<void*>(address), bytes};
    const ssize_t got =
        process_vm_readv(static_cast<pid_t>(pid_), &local, 1, &remote, 1, 0);
    if (got <= 0) {
      return absl::ErrnoToStatus(got < 0 ? errno : EFAULT,
                                 absl::StrCat("read memory of pid ", pid_));
    }
    at += got;
    address += static_cast<std::uint64_t>(got);
    bytes -= static_cast<std::size_t>(got);
  }
  return absl::OkStatus();
}

absl::Status LiveBlocks::ReadDirectory(std::uint64_t start, std::uint64_t end,
                                       std::vector<std::uint64_t>* leaves) {
  const std::uint64_t first = start >> place_.leaf_shift;
  const std::uint64_t last = (end - 1) >> place_.leaf_shift;
  if (end <= start || last - first >= kMostLeaves) {
    return absl::OutOfRangeError(
        absl::StrCat("a mapping of pid ", pid_, " is too large to look at"));
  }
  leaves->assign(last - first + 1, 0);
  return ReadMemory(place_.directory + first * sizeof(std::uint64_t),
                    leaves->size() * sizeof(std::uint64_t), leaves->data());
}

absl::Status LiveBlocks::ReadLeaf(std::uint64_t leaf) {
  const std::size_t count =
      (std::size_t{1} << (place_.leaf_shift - place_.granule_shift)) +
      kSpareSlots;
  slots_.assign(count, 0);
  const std::uint64_t begin = leaf / kSmallPageBytes * kSmallPageBytes;
  const std::uint64_t end = leaf + count * sizeof(std::uint32_t);
  const std::size_t pages =
      (end - begin + kSmallPageBytes - 1) / kSmallPageBytes;
  if (absl::Status ok = pages_->Read(begin, pages, &states_); !ok.ok()) {
    return ok;
  }
  for (std::size_t page = 0; page < pages;) {
    if (states_[page] == PageState::kAbsent) {
      ++page;
      continue;
    }
    std::size_t run = page;
    while (run < pages && states_[run] != PageState::kAbsent) ++run;
    const std::uint64_t from = std::max(begin + page * kSmallPageBytes, leaf);
    const std::uint64_t to = std::min(begin + run * kSmallPageBytes, end);
    const absl::Status ok =
        ReadMemory(from, to - from,
                   reinterpret_cast<char*>(slots_.data()) + (from - leaf));
    if (!ok.ok()) return ok;
    page = run;
  }
  return absl::OkStatus();
}

absl::Status LiveBlocks::Visit(
    std::uint64_t start, std::uint64_t end,
    const std::function<void(const LiveBlock&)>& visit) {
  std::vector<std::uint64_t> leaves;
  if (absl::Status ok = ReadDirectory(start, end, &leaves); !ok.ok()) return ok;
  const std::size_t granules = std::size_t{1}
                               << (place_.leaf_shift - place_.granule_shift);
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    if (leaves[i] == 0) continue;
    if (absl::Status ok = ReadLeaf(leaves[i]); !ok.ok()) return ok;
    const std::uint64_t base = ((start >> place_.leaf_shift) + i)
                               << place_.leaf_shift;
    const auto granule_of = [&](std::uint64_t address) {
      return std::min<std::uint64_t>((address - base) >> place_.granule_shift,
                                     granules);
    };
    std::size_t at = start > base ? granule_of(start) : 0;
    const std::size_t stop = end > base ? granule_of(end) : 0;
    // The slots of a block that began before `start` are none of their own.
    if (at >= 1 &&
        slots_[at - 1] >> ledger::kCallsiteBits >= ledger::kSizeInTwoSlots) {
      ++at;
    }
    for (; at < stop; ++at) {
      const std::uint32_t word = slots_[at];
      if (word == 0) continue;
      const std::uint32_t code = word >> ledger::kCallsiteBits;
      LiveBlock block{base + (std::uint64_t{at} << place_.granule_shift), code,
                      word & (ledger::kMaxCallsites - 1)};
      if (code >= ledger::kSizeInTwoSlots) {
        block.bytes = slots_[at + 1];
        if (code == ledger::kSizeInTwoSlots) {
          block.bytes |= std::uint64_t{slots_[at + 2]} << 32;
        }
        at += code == ledger::kSizeInTwoSlots ? 2 : 1;
      }
      if (block.bytes <= kLargestBlock) visit(block);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> LiveBlocks::EverUsed(std::uint64_t start,
                                          std::uint64_t end) {
  std::vector<std::uint64_t> leaves;
  if (absl::Status ok = ReadDirectory(start, end, &leaves); !ok.ok()) return ok;
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    if (leaves[i] == 0) continue;
    const std::uint64_t base = ((start >> place_.leaf_shift) + i)
                               << place_.leaf_shift;
    const std::uint64_t size = std::uint64_t{1} << place_.leaf_shift;
    const auto slot_of = [&](std::uint64_t offset) {
      return leaves[i] +
             (offset >> place_.granule_shift) * sizeof(std::uint32_t);
    };
    const std::uint64_t begin =
        slot_of(start > base ? start - base : 0) / kSmallPageBytes;
    const std::uint64_t last =
        (slot_of(std::min(size, end - base)) - 1) / kSmallPageBytes;
    const absl::Status ok =
        pages_->Read(begin * kSmallPageBytes, last - begin + 1, &states_);
    if (!ok.ok()) return ok;
    if (std::ranges::any_of(states_, [](PageState state) {
          return state != PageState::kAbsent;
        })) {
      return true;
    }
  }
  return false;
}

}  // namespace heapledger::collector
