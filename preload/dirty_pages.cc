// SPDX-License-Identifier: Apache-2.0
#include "preload/dirty_pages.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include "preload/raw_io.h"

namespace heapledger::preload {
namespace {

// The kernel's interface (linux/userfaultfd.h and linux/fs.h of Linux 6.7),
// which older headers lack.
constexpr long kUserModeOnly = 1;
constexpr std::uint64_t kApi = 0xAA;
constexpr std::uint64_t kAsyncWriteProtect = 1U << 15;
constexpr std::uint64_t kRegisterWriteProtect = 2;
constexpr long kIoctlApi = 0xC018AA3F;
constexpr long kIoctlRegister = 0xC020AA00;
constexpr long kIoctlUnregister = 0x8010AA01;
constexpr long kIoctlPagemapScan = 0xC0606610;
constexpr std::uint64_t kScanProtectMatching = 1;
constexpr std::uint64_t kScanCheckTracked = 2;
constexpr std::uint64_t kPageWritten = 1 << 1;

struct ApiRequest {
  std::uint64_t api;
  std::uint64_t features;
  std::uint64_t ioctls;
};
struct RegisterRequest {
  std::uint64_t start;
  std::uint64_t bytes;
  std::uint64_t mode;
  std::uint64_t ioctls;
};
struct UnregisterRequest {
  std::uint64_t start;
  std::uint64_t bytes;
};
struct ScanRequest {
  std::uint64_t size;
  std::uint64_t flags;
  std::uint64_t start;
  std::uint64_t end;
  std::uint64_t walk_end;
  std::uint64_t runs;
  std::uint64_t runs_capacity;
  std::uint64_t max_pages;
  std::uint64_t inverted;
  std::uint64_t mask;
  std::uint64_t anyof_mask;
  std::uint64_t return_mask;
};
static_assert(sizeof(ScanRequest) == 96);

// What is protected or let go at a time: faults elsewhere wait that long.
constexpr std::uint64_t kStepBytes = 4ULL << 20;

template <typename Request>
long Address(const Request* at) {
  return reinterpret_cast<long>(at);
}

}  // namespace

bool DirtyPages::Open() {
  count_ = 0;
  faults_ =
      static_cast<int>(raw::Call(SYS_userfaultfd, O_CLOEXEC | kUserModeOnly));
  pages_ = raw::Open("/proc/thread-self/pagemap", O_RDONLY);
  const ApiRequest request{kApi, kAsyncWriteProtect, 0};
  if (faults_ >= 0 && pages_ >= 0 &&
      raw::Call(SYS_ioctl, faults_, kIoctlApi, Address(&request)) == 0) {
    return true;
  }
  Close();
  return false;
}

void DirtyPages::Close() {
  for (std::uint32_t i = 0; i < count_; ++i) {
    for (std::uint64_t at = tracked_[i].start; at < tracked_[i].end;
         at += kStepBytes) {
      const std::uint64_t left = tracked_[i].end - at;
      const UnregisterRequest request{at,
                                      left < kStepBytes ? left : kStepBytes};
      raw::Call(SYS_ioctl, faults_, kIoctlUnregister, Address(&request));
    }
  }
  count_ = 0;
  if (faults_ >= 0) raw::Close(faults_);
  if (pages_ >= 0) raw::Close(pages_);
  faults_ = pages_ = -1;
}

void DirtyPages::Track(std::uint64_t start, std::uint64_t end) {
  if (count_ == kMaxTracked) return;
  const RegisterRequest request{start, end - start, kRegisterWriteProtect, 0};
  if (raw::Call(SYS_ioctl, faults_, kIoctlRegister, Address(&request)) != 0) {
    return;
  }
  tracked_[count_++] = {start, end};
  for (std::uint64_t at = start; at < end; at += kStepBytes) {
    ForEachWritten(at, end - at < kStepBytes ? end : at + kStepBytes,
                   Then::kForget, [](std::uint64_t, std::uint64_t) {});
  }
}

long DirtyPages::Look(std::uint64_t start, std::uint64_t end, Then then,
                      std::uint64_t* next) {
  if (pages_ < 0) return -1;
  ScanRequest request{};
  request.size = sizeof request;
  request.flags = kScanCheckTracked;
  if (then == Then::kForget) request.flags |= kScanProtectMatching;
  request.start = start;
  request.end = end;
  request.runs = reinterpret_cast<std::uint64_t>(runs_);
  request.runs_capacity = kRunsPerLook;
  request.mask = kPageWritten;
  request.return_mask = kPageWritten;
  const long runs =
      raw::Call(SYS_ioctl, pages_, kIoctlPagemapScan, Address(&request));
  *next = request.walk_end;
  return raw::Failed(runs) ? -1 : runs;
}

}  // namespace heapledger::preload
