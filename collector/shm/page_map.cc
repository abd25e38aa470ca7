// SPDX-License-Identifier: Apache-2.0
#include "collector/shm/page_map.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"

namespace heapledger::collector {
namespace {

// Bits of an entry, see the kernel's documentation of pagemap.
constexpr std::uint64_t kPresent = 1ULL << 63;
constexpr std::uint64_t kSwapped = 1ULL << 62;

}  // namespace

absl::StatusOr<std::unique_ptr<PageMap>> PageMap::Open(
    const std::string& directory) {
  std::string path = directory + "/pagemap";
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("open ", path));
  }
  return std::unique_ptr<PageMap>(new PageMap(file, std::move(path)));
}

PageMap::~PageMap() { close(file_); }

absl::Status PageMap::Read(std::uint64_t start, std::size_t count,
                           std::vector<PageState>* states) {
  states->assign(count, PageState::kAbsent);
  entries_.resize(count);
  const std::uint64_t offset = start / kSmallPageBytes * sizeof(std::uint64_t);
  std::size_t done = 0;
  while (done < count * sizeof(std::uint64_t)) {
    const ssize_t got =
        pread(file_, reinterpret_cast<char*>(entries_.data()) + done,
              count * sizeof(std::uint64_t) - done,
              static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat("read ", path_));
    }
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  for (std::size_t i = 0; i < done / sizeof(std::uint64_t); ++i) {
    if ((entries_[i] & kPresent) != 0) {
      (*states)[i] = PageState::kResident;
    } else if ((entries_[i] & kSwapped) != 0) {
      (*states)[i] = PageState::kSwapped;
    }
  }
  return absl::OkStatus();
}

}  // namespace heapledger::collector
