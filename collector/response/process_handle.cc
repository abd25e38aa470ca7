// SPDX-License-Identifier: Apache-2.0
#include "collector/response/process_handle.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "collector/system/process_memory.h"

namespace heapledger::collector::response {
namespace {

constexpr std::size_t kMostBytes = 64 << 10;

}  // namespace

absl::StatusOr<ProcessHandle> ProcessHandle::Open(const TargetKey& who) {
  const auto gone = [&who] {
    return absl::NotFoundError(absl::StrCat("pid ", who.pid, " has ended"));
  };
  // Not pidfd_open(): glibc 2.35 has no wrapper of that name.
  Descriptor process(static_cast<int>(
      ::syscall(SYS_pidfd_open, static_cast<pid_t>(who.pid), 0)));
  if (!process.ok()) {
    if (errno == ESRCH) return gone();
    return absl::ErrnoToStatus(errno, absl::StrCat("open pid ", who.pid));
  }
  Descriptor directory(::open(absl::StrCat("/proc/", who.pid).c_str(),
                              O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.ok()) return gone();
  ProcessHandle handle(std::move(process), std::move(directory));
  const auto text = handle.Read("stat");
  if (!text.ok()) return gone();
  const auto stat = ParseStat(*text);
  // If the process of the handle still runs, no other one has its pid, so this
  // directory is its own.
  if (!stat || stat->start_time_ticks != who.start_time_ticks ||
      handle.WaitForEnd(std::chrono::milliseconds(0))) {
    return gone();
  }
  return handle;
}

absl::Status ProcessHandle::Signal(int number) const {
  if (::syscall(SYS_pidfd_send_signal, process_.get(), number, nullptr, 0) ==
      0) {
    return absl::OkStatus();
  }
  if (errno == ESRCH) return absl::NotFoundError("it has ended");
  return absl::ErrnoToStatus(errno, "send a signal");
}

bool ProcessHandle::WaitForEnd(std::chrono::milliseconds patience) const {
  pollfd ended = {process_.get(), POLLIN, 0};
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    const int count =
        ::poll(&ended, 1, static_cast<int>(std::max<long>(0, left.count())));
    if (count > 0) return true;
    if (count == 0 || errno != EINTR) return false;
  }
}

absl::StatusOr<std::string> ProcessHandle::Read(const char* name) const {
  const Descriptor file(
      ::openat(directory_.get(), name, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.ok()) {
    return absl::ErrnoToStatus(errno, absl::StrCat("open its ", name));
  }
  std::string text;
  char buffer[4096];
  while (text.size() < kMostBytes) {
    const ssize_t count = ::read(file.get(), buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat("read its ", name));
    }
    if (count == 0) break;
    text.append(buffer, static_cast<std::size_t>(count));
  }
  return text;
}

absl::Status ProcessHandle::Write(const char* name,
                                  std::string_view text) const {
  const Descriptor file(
      ::openat(directory_.get(), name, O_WRONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.ok()) {
    return absl::ErrnoToStatus(errno, absl::StrCat("open its ", name));
  }
  if (::write(file.get(), text.data(), text.size()) ==
      static_cast<ssize_t>(text.size())) {
    return absl::OkStatus();
  }
  return absl::ErrnoToStatus(errno, absl::StrCat("write its ", name));
}

}  // namespace heapledger::collector::response
